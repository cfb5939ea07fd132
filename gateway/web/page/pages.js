import { counted } from "./element.js";
import { announce, dismiss, notify } from "./notices.js";

const UNDO_MS = 8000;

/** The session's pages as this browser shows them, which of them are selected, and every edit of them. */
export class PageList extends EventTarget {
  /** The page that the viewer shows. */
  current = "";
  selected = new Set();
  /** The page that is being scanned. @type {import("../scanbus.js").Progress|null} */
  coming = null;
  #scanner = null;
  #kept = [];
  #removing = new Set();
  #timer = 0;
  #anchor = "";
  #asking = null;
  #stale = false;

  /** @param {import("../scanbus.js").Scanner} scanner */
  attach(scanner) {
    this.#scanner = scanner;
    scanner.on("pages", () => this.refresh());
  }

  /** @returns {import("../scanbus.js").Page[]} */
  get pages() {
    return this.#removing.size ? this.#kept.filter(({ page_id }) => !this.#removing.has(page_id)) : this.#kept;
  }

  get ids() {
    return this.pages.map(({ page_id }) => page_id);
  }

  get currentPage() {
    return this.pages.find(({ page_id }) => page_id === this.current) ?? null;
  }

  /** Ids of the selected pages in their order. */
  get selection() {
    return this.ids.filter((id) => this.selected.has(id));
  }

  imageUrl(page, options) {
    return this.#scanner.imageUrl(page, options);
  }

  /** Ask for the pages; asked again meanwhile, it asks once more at the end. */
  async refresh() {
    this.#stale = true;
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    await this.#asking;
  }

  /** Show a page that has just been scanned; the viewer goes along when it was at the end. */
  append(page) {
    const atEnd = !this.current || this.current === this.ids.at(-1);
    if (!this.#kept.some(({ page_id }) => page_id === page.page_id)) this.#kept = [...this.#kept, page];
    if (atEnd) this.#choose(page.page_id);
    this.#changed();
  }

  setComing(coming) {
    this.coming = coming;
    this.dispatchEvent(new Event("coming"));
  }

  /** @param {string} id @param {{toggle?: boolean, extend?: boolean}} [how] */
  select(id, { toggle = false, extend = false } = {}) {
    const ids = this.ids;
    if (extend && ids.includes(this.#anchor)) {
      const [from, to] = [ids.indexOf(this.#anchor), ids.indexOf(id)].sort((a, b) => a - b);
      this.selected = new Set([...(toggle ? this.selected : []), ...ids.slice(from, to + 1)]);
      this.current = id;
    } else if (toggle) {
      if (!this.selected.delete(id)) this.selected.add(id);
      this.current = this.#anchor = id;
    } else this.#choose(id);
    this.#changed();
  }

  selectAll() {
    this.selected = new Set(this.ids);
    this.current ||= this.ids[0] ?? "";
    this.#changed();
    announce(`All ${counted(this.selected.size, "page")} selected`);
  }

  /** Go `by` pages on. @param {number} by @param {{extend?: boolean}} [how] */
  step(by, how) {
    const ids = this.ids;
    if (!ids.length) return;
    const at = ids.indexOf(this.current) + by;
    this.select(ids[Math.max(0, Math.min(ids.length - 1, at))], how);
  }

  /** @param {number} degrees clockwise @param {string[]} [ids] */
  async rotate(degrees, ids = this.selection) {
    if (!ids.length) return;
    await this.#edit(() => this.#scanner.rotate(ids, degrees));
    announce(`${counted(ids.length, "page")} rotated`);
  }

  /** Move the selected pages one place. @param {-1|1} by */
  async moveBy(by) {
    const moved = this.selection;
    const first = this.ids.indexOf(moved[0]);
    await this.moveTo(Math.max(0, Math.min(this.ids.length - moved.length, first + by)), moved);
  }

  /** @param {number} position where the first of them is afterwards @param {string[]} [moved] */
  async moveTo(position, moved = this.selection) {
    if (!moved.length) return;
    await this.#edit(() => {
      const rest = this.#kept.filter(({ page_id }) => !moved.includes(page_id));
      const pages = moved.map((id) => this.#kept.find(({ page_id }) => page_id === id)).filter(Boolean);
      this.#kept = rest.toSpliced(position, 0, ...pages);
      this.#changed();
      return this.#scanner.move(moved, position);
    });
    announce(`Moved to place ${this.ids.indexOf(moved[0]) + 1} of ${this.ids.length}`);
  }

  /** Take the selected pages away; for a few seconds they can come back. */
  async remove() {
    const gone = this.selection;
    if (!gone.length) return;
    await this.settle();
    const before = this.ids;
    const next = before.slice(before.indexOf(gone.at(-1)) + 1).find((id) => !gone.includes(id));
    this.#removing = new Set(gone);
    this.#choose(next ?? this.ids.at(-1) ?? "");
    this.#changed();
    const restore = () => {
      clearTimeout(this.#timer);
      this.#removing.clear();
      this.selected = new Set(gone);
      this.current = gone[0];
      this.#changed();
      announce(`${counted(gone.length, "page")} restored`);
    };
    notify("removed", { kind: "plain", text: `${counted(gone.length, "page")} deleted.`, action: ["Undo", restore] });
    this.#timer = setTimeout(() => this.settle(), UNDO_MS);
  }

  /** Make a deletion final, so that the service has the pages that are shown. */
  async settle() {
    clearTimeout(this.#timer);
    dismiss("removed");
    const gone = [...this.#removing];
    if (!gone.length) return;
    try {
      this.#kept = await this.#scanner.remove(gone);
    } catch (error) {
      notify("edit", { kind: "bad", text: error.message });
    }
    this.#removing.clear();
    this.#changed();
  }

  async #edit(change) {
    await this.settle();
    try {
      this.#kept = await change();
      this.#changed();
    } catch (error) {
      notify("edit", { kind: "bad", text: error.message });
      await this.refresh();
    }
  }

  async #ask() {
    while (this.#stale) {
      this.#stale = false;
      try {
        this.#kept = await this.#scanner.pages();
      } catch (error) {
        if (error.data?.connection !== "lost") notify("edit", { kind: "bad", text: error.message });
      }
    }
    this.#changed();
  }

  #choose(id) {
    this.current = this.#anchor = id;
    this.selected = new Set(id ? [id] : []);
  }

  #changed() {
    const ids = new Set(this.ids);
    this.selected = new Set([...this.selected].filter((id) => ids.has(id)));
    if (!ids.has(this.current)) this.current = this.ids[0] ?? "";
    if (!this.selected.size && this.current && !ids.has(this.#anchor)) this.#choose(this.current);
    this.dispatchEvent(new Event("change"));
  }
}
