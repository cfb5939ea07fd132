import { ask } from "./ask.js";
import { byId, counted, element } from "./element.js";
import { menuOf } from "./menu.js";
import { notify } from "./notices.js";

const PAUSE_MS = 300;

/** The session's documents: one at a time is shown, and pages can be moved from one to another. */
export class Documents {
  /** @type {import("../scanbus.js").Document[]} */
  list = [];
  /** The tag that new pages get. */
  defaultTag = "";
  #pages;
  #edits;
  #scanner = null;
  #timer = 0;
  #tabs = byId("documents");
  #menu = byId("documents-menu");

  /** @param {import("./pages.js").PageList} pages @param {import("./edits.js").Edits} edits */
  constructor(pages, edits) {
    this.#pages = pages;
    this.#edits = edits;
    menuOf(byId("documents-open"), this.#menu, () => this.#choices());
    pages.addEventListener("change", () => this.#render());
  }

  attach(scanner) {
    this.#scanner = scanner;
    scanner.on("pages", () => (this.#timer ||= setTimeout(() => this.refresh().catch(() => {}), PAUSE_MS)));
  }

  /** Ask which there are. */
  async refresh() {
    this.#timer = 0;
    const { documents, defaultTag } = await this.#scanner.documents();
    [this.list, this.defaultTag] = [documents, defaultTag];
    if (!documents.some(({ document_id }) => document_id === this.#pages.documentId)) await this.#pages.show("");
    this.#render();
  }

  /** @param {import("../scanbus.js").Document} document */
  nameOf(document) {
    return document.name || `Document ${this.list.indexOf(document) + 1}`;
  }

  #render() {
    this.#tabs.hidden = this.list.length < 2 && !this.list[0]?.name;
    if (this.#tabs.hidden) return;
    const tabs = this.list.map((document) => {
      const shown = document.document_id === this.#pages.documentId;
      const count = element("small", {}, String(shown ? this.#pages.allIds.length : document.pages));
      const tab = element("button", { type: "button", "aria-current": String(shown) }, `${this.nameOf(document)} `, count);
      tab.addEventListener("click", () => this.#show(document.document_id));
      return tab;
    });
    const focused = [...this.#tabs.children].indexOf(globalThis.document.activeElement);
    this.#tabs.replaceChildren(...tabs);
    tabs[focused]?.focus();
  }

  async #show(documentId) {
    await this.#edits.settle();
    await this.#pages.show(documentId);
  }

  #choices() {
    const shown = this.list.find(({ document_id }) => document_id === this.#pages.documentId);
    const selected = this.#pages.selection.length;
    const others = this.list.filter((document) => document !== shown);
    const choices = [
      this.#item("New document…", () => this.#create(false)),
      this.#item("Rename…", () => this.#rename(shown)),
      this.#item("Delete with its pages…", () => this.#remove(shown)),
    ];
    if (!selected) return choices;
    const into = others.map((document) => this.#item(this.nameOf(document), () => this.#edits.moveInto(document)));
    const fresh = this.#item("New document…", () => this.#create(true));
    return [...choices, element("p", { className: "quiet" }, `Move ${counted(selected, "page")} to`), ...into, fresh];
  }

  #item(text, run) {
    const item = element("button", { type: "button" }, text);
    item.addEventListener("click", async () => {
      this.#menu.hidePopover();
      try {
        await run();
        await this.refresh();
      } catch (error) {
        notify("edit", { kind: "bad", text: error.message });
      }
    });
    return item;
  }

  async #create(moving) {
    const moved = this.#pages.selection;
    const name = await ask({ title: "New document", value: `Document ${this.list.length + 1}`, action: "Create" });
    if (name === null) return;
    const created = await this.#scanner.createDocument(name);
    if (moving) await this.#edits.moveInto(created, moved);
    await this.#show(created.document_id);
  }

  async #rename(document) {
    const name = await ask({ title: "Rename document", value: this.nameOf(document), action: "Rename" });
    if (name !== null) await this.#scanner.renameDocument(document.document_id, name);
  }

  async #remove(document) {
    const text = `${counted(this.#pages.allIds.length, "page")} will be destroyed.`;
    const sure = await ask({ title: `Delete “${this.nameOf(document)}”?`, text, action: "Delete" });
    if (sure === null) return;
    await this.#edits.settle();
    await this.#scanner.removeDocument(document.document_id);
    await this.#pages.show("");
  }
}
