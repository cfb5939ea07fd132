import { counted } from "./element.js";

/** Moves the selected pages to where they are dropped. */
export class Dragging {
  /** The page that is held. */
  held = "";
  #list;
  #pages;
  #grid;
  #marked = null;

  /**
   * @param {HTMLElement} list @param {import("./pages.js").PageList} pages @param {import("./grid.js").Grid} grid
   * @param {(moved: string[], place: number) => void} drop
   */
  constructor(list, pages, grid, drop) {
    this.#list = list;
    this.#pages = pages;
    this.#grid = grid;
    list.addEventListener("dragstart", (event) => this.#start(event));
    list.addEventListener("dragover", (event) => {
      if (!this.held) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "move";
      this.#mark(this.#grid.at(event, pages.ids.length));
    });
    list.addEventListener("drop", (event) => {
      if (!this.held) return;
      event.preventDefault();
      this.#mark(null);
      drop(pages.selection, this.#grid.at(event, pages.ids.length));
    });
    list.addEventListener("dragend", () => {
      this.held = "";
      this.#mark(null);
    });
    list.addEventListener("dragleave", (event) => {
      if (!list.contains(event.relatedTarget)) this.#mark(null);
    });
  }

  #start(event) {
    const id = event.target.closest?.("[data-page]")?.dataset.page;
    if (!id) return;
    if (!this.#pages.selected.has(id)) this.#pages.select(id);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", counted(this.#pages.selected.size, "page"));
    this.held = id;
  }

  #mark(place) {
    this.#marked?.classList.remove("drop-before", "drop-after");
    const { ids } = this.#pages;
    if (place === null || !ids.length) return;
    const id = ids[Math.min(place, ids.length - 1)];
    this.#marked = this.#list.querySelector(`[data-page="${CSS.escape(id)}"]`);
    this.#marked?.classList.add(place < ids.length ? "drop-before" : "drop-after");
  }
}
