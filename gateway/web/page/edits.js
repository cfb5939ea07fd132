import { counted } from "./element.js";
import { announce, dismiss, notify } from "./notices.js";

const UNDO_MS = 8000;

/** Everything that a person does to pages: shown at once, then done by the service. */
export class Edits {
  /** Pages that were cut: `paste` puts them elsewhere. */
  cut = new Set();
  #pages;
  #scanner = null;
  #removing = null;

  /** @param {import("./pages.js").PageList} pages */
  constructor(pages) {
    this.#pages = pages;
  }

  attach(scanner) {
    this.#scanner = scanner;
  }

  /** @param {number} degrees clockwise @param {string[]} [ids] */
  async rotate(degrees, ids = this.#pages.selection) {
    if (!ids.length) return;
    await this.#do(() => this.#scanner.rotate(ids, degrees));
    announce(`${counted(ids.length, "page")} rotated`);
  }

  /** Move the selected pages so many places. @param {number} by */
  moveBy(by) {
    const moved = this.#pages.selection;
    const held = new Set(moved);
    const rest = this.#pages.ids.filter((id) => !held.has(id));
    const to = this.#pages.indexOf(moved[0]) + by;
    return this.#putBefore(rest[Math.max(0, Math.min(rest.length, to))], moved);
  }

  /** @param {number} place in the list that is shown: before which the first of them shall be @param {string[]} moved */
  moveTo(place, moved = this.#pages.selection) {
    const held = new Set(moved);
    return this.#putBefore(this.#pages.ids.slice(place).find((id) => !held.has(id)), moved);
  }

  /** Remember the selected pages for `paste`. */
  cutSelected() {
    this.cut = new Set(this.#pages.selection);
    this.#pages.dispatchEvent(new Event("change"));
    announce(`${counted(this.cut.size, "page")} cut. Go to a page and press Control V to put them after it`);
  }

  /** Put the pages that were cut after the current one, in whichever document that is. */
  async paste() {
    if (!this.cut.size) return;
    const moved = [...this.cut];
    this.cut = new Set();
    await this.moveTo(this.#pages.indexOf(this.#pages.current) + 1, moved);
    this.#pages.selectOnly(moved);
  }

  /** Move the selected pages to the end of another document. @param {import("../scanbus.js").Document} document */
  async moveInto({ document_id: documentId, pages: position }, moved = this.#pages.selection) {
    if (!moved.length) return;
    const gone = new Set(moved);
    const change = (ids) => ids.filter((id) => !gone.has(id));
    await this.#do(() => this.#scanner.move(moved, position, { documentId }), change);
    announce(`${counted(moved.length, "page")} moved`);
  }

  /** @param {{add?: string[], remove?: string[]}} tags on the selected pages */
  async tag(tags, ids = this.#pages.selection) {
    if (ids.length) await this.#do(() => this.#scanner.tag(ids, tags));
  }

  /** Take the selected pages away; for a few seconds they can come back. */
  async remove() {
    const gone = this.#pages.selection;
    if (!gone.length) return;
    await this.settle();
    const held = new Set(gone);
    const { ids } = this.#pages;
    const next = ids.slice(this.#pages.indexOf(gone.at(-1)) + 1).find((id) => !held.has(id));
    const done = this.#pages.foresee((before) => before.filter((id) => !held.has(id)));
    this.#pages.selectOnly([next ?? this.#pages.ids.at(-1)].filter(Boolean));
    const timer = setTimeout(() => this.settle(), UNDO_MS);
    this.#removing = { gone, done, timer };
    const restore = () => {
      clearTimeout(timer);
      this.#removing = null;
      done();
      this.#pages.selectOnly(gone);
      announce(`${counted(gone.length, "page")} restored`);
    };
    const text = `${counted(gone.length, "page")} deleted.`;
    notify("removed", { kind: "plain", text, actions: [["Undo", restore]] });
  }

  /** Make a deletion final, so that the service has the pages that are shown. */
  async settle() {
    if (!this.#removing) return;
    const { gone, done, timer } = this.#removing;
    this.#removing = null;
    clearTimeout(timer);
    dismiss("removed");
    await this.#attempt(() => this.#scanner.remove(gone));
    done();
  }

  /** @param {string|undefined} anchor the page that follows them afterwards; none: they are the last that are shown */
  async #putBefore(anchor, moved) {
    if (!moved.length) return;
    const held = new Set(moved);
    const last = this.#pages.ids.findLast((id) => !held.has(id));
    const place = (rest) => (anchor ? rest.indexOf(anchor) : last ? rest.indexOf(last) + 1 : rest.length);
    const change = (ids) => {
      const rest = ids.filter((id) => !held.has(id));
      return rest.toSpliced(place(rest), 0, ...moved);
    };
    const position = place(this.#pages.allIds.filter((id) => !held.has(id)));
    const where = { documentId: this.#pages.documentId };
    await this.#do(() => this.#scanner.move(moved, position, where), change);
    announce(`Moved to place ${this.#pages.indexOf(moved[0]) + 1} of ${this.#pages.ids.length}`);
  }

  async #do(ask, change) {
    const done = change && this.#pages.foresee(change);
    await this.settle();
    await this.#attempt(ask);
    done?.();
  }

  async #attempt(ask) {
    try {
      await ask();
    } catch (error) {
      notify("edit", { kind: "bad", text: error.message });
      await this.#pages.refresh();
    }
  }
}
