import { counted } from "./element.js";
import { announce, notify } from "./notices.js";

/** The pages of one document as this browser shows them, and which of them are selected. */
export class PageList extends EventTarget {
  /** The page that the viewer shows. */
  current = "";
  selected = new Set();
  /** The page that is being scanned. @type {import("../scanbus.js").Progress|null} */
  coming = null;
  /** Only pages that have it are shown; empty: all. */
  tag = "";
  /** @type {import("../scanbus.js").Page[]} */
  pages = [];
  /** @type {string[]} */
  ids = [];
  /** With those that the tag hides. @type {string[]} */
  allIds = [];
  /** Every tag that a page of this document has. @type {string[]} */
  tags = [];
  #scanner = null;
  #document = null;
  #foreseen = new Set();
  #places = new Map();
  #anchor = "";

  /** @param {import("../scanbus.js").Scanner} scanner */
  attach(scanner) {
    this.#scanner = scanner;
  }

  get documentId() {
    return this.#document?.documentId ?? "";
  }

  /** Show a document from now on. @param {string} documentId empty: the session's first */
  async show(documentId) {
    this.#document?.close();
    this.#foreseen.clear();
    this.tag = "";
    this.current = "";
    this.#document = this.#scanner.watch({ documentId });
    this.#document.addEventListener("change", () => this.#changed());
    await this.refresh();
  }

  /** Ask the service for everything again. */
  async refresh() {
    try {
      await this.#document.refresh();
    } catch (error) {
      // Whoever lists the documents shows another one instead of one that is gone.
      const expected = error.data?.connection === "lost" || error.code === "not_found";
      if (!expected) notify("edit", { kind: "bad", text: error.message });
    }
  }

  /** @param {string} id */
  indexOf(id) {
    return this.#places.get(id) ?? -1;
  }

  get currentPage() {
    return this.pages[this.indexOf(this.current)] ?? null;
  }

  /** Ids of the selected pages in their order. */
  get selection() {
    return this.selected.size ? this.ids.filter((id) => this.selected.has(id)) : [];
  }

  imageUrl(page, options) {
    return this.#scanner.imageUrl(page, options);
  }

  setComing(coming) {
    this.coming = coming;
    this.dispatchEvent(new Event("coming"));
  }

  /** @param {string} tag */
  setTag(tag) {
    this.tag = tag;
    this.#changed();
  }

  /** Show what a change will do, until what is returned is called. @param {(ids: string[]) => string[]} change */
  foresee(change) {
    this.#foreseen.add(change);
    this.#changed();
    return () => {
      this.#foreseen.delete(change);
      this.#changed();
    };
  }

  /** @param {string} id @param {{toggle?: boolean, extend?: boolean}} [how] */
  select(id, { toggle = false, extend = false } = {}) {
    if (extend && this.#places.has(this.#anchor)) {
      const [from, to] = [this.indexOf(this.#anchor), this.indexOf(id)].sort((a, b) => a - b);
      this.selected = new Set([...(toggle ? this.selected : []), ...this.ids.slice(from, to + 1)]);
      this.current = id;
    } else if (toggle) {
      if (!this.selected.delete(id)) this.selected.add(id);
      this.current = this.#anchor = id;
    } else this.#choose(id);
    this.#tell();
  }

  /** @param {string[]} ids the first becomes the current page */
  selectOnly(ids) {
    this.#choose(ids[0] ?? "");
    this.selected = new Set(ids);
    this.#tell();
  }

  selectAll() {
    this.selected = new Set(this.ids);
    this.current ||= this.ids[0] ?? "";
    this.#tell();
    announce(`All ${counted(this.selected.size, "page")} selected`);
  }

  /** Go `by` pages on. @param {number} by @param {{extend?: boolean}} [how] */
  step(by, how) {
    if (!this.ids.length) return;
    const at = this.indexOf(this.current) + by;
    this.select(this.ids[Math.max(0, Math.min(this.ids.length - 1, at))], how);
  }

  #choose(id) {
    this.current = this.#anchor = id;
    this.selected = new Set(id ? [id] : []);
  }

  /** Read the document anew, as it is now and will be. */
  #changed() {
    const atEnd = !this.current || this.current === this.ids.at(-1);
    const before = this.ids.length;
    let ids = this.#document.ids;
    for (const change of this.#foreseen) ids = change(ids);
    const all = ids.map((id) => this.#document.get(id)).filter(Boolean);
    this.pages = this.tag ? all.filter(({ tags }) => tags.includes(this.tag)) : all;
    this.allIds = ids;
    this.ids = this.pages.map(({ page_id }) => page_id);
    this.tags = [...new Set(all.flatMap(({ tags }) => tags))].sort();
    this.#places = new Map(this.ids.map((id, index) => [id, index]));
    if (this.coming && atEnd && this.ids.length > before) this.#choose(this.ids.at(-1));
    this.#tell();
  }

  #tell() {
    for (const id of this.selected) if (!this.#places.has(id)) this.selected.delete(id);
    if (!this.#places.has(this.current)) this.current = this.ids[0] ?? "";
    if (!this.selected.size && this.current && !this.#places.has(this.#anchor)) this.#choose(this.current);
    this.dispatchEvent(new Event("change"));
  }
}
