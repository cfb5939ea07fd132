import { byId, counted, element } from "./element.js";

const WIDTH_PX = 240;

/** Touches the document only where something changed: there may be a thousand pages. */
function set(item, name, value) {
  const changed = item.getAttribute(name) !== value;
  if (changed) item.setAttribute(name, value);
  return changed;
}

/** The pages as small pictures in their order: select, drag, and see the next one come. */
export class Thumbnails {
  #pages;
  #list = byId("thumbnails");
  #items = new Map();
  #coming = element("li", { className: "coming", role: "presentation" });
  #dragged = false;

  /** @param {import("./pages.js").PageList} pages @param {() => void} open shows the current page large */
  constructor(pages, open) {
    this.#pages = pages;
    this.#coming.append(element("progress", { max: 1, "aria-label": "Next page" }));
    pages.addEventListener("change", () => this.#render());
    pages.addEventListener("coming", () => this.#renderComing());
    this.#list.addEventListener("click", (event) => this.#click(event));
    this.#list.addEventListener("dblclick", open);
    this.#list.addEventListener("keydown", (event) => this.#key(event, open));
    this.#listenToDrag();
  }

  #render() {
    const { pages, selected, current } = this.#pages;
    const kept = new Set(this.#pages.ids);
    for (const [id, item] of this.#items) {
      if (kept.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    const focused = this.#list.contains(document.activeElement) || document.activeElement === document.body;
    const grew = this.#items.size < pages.length;
    pages.forEach((page, index) => {
      const item = this.#item(page);
      if (this.#list.children[index] !== item) this.#list.insertBefore(item, this.#list.children[index] ?? null);
      const turned = page.rotation_degrees ? `, rotated ${page.rotation_degrees} degrees` : "";
      set(item, "aria-label", `Page ${index + 1}${turned}`);
      set(item, "aria-selected", String(selected.has(page.page_id)));
      set(item, "tabindex", page.page_id === current ? "0" : "-1");
      set(item, "data-number", String(index + 1));
      item.classList.toggle("current", page.page_id === current);
    });
    if (grew && this.#pages.coming) this.#list.lastElementChild.scrollIntoView({ block: "nearest" });
    else if (focused && this.#items.has(current)) this.#items.get(current).scrollIntoView({ block: "nearest" });
    if (this.#list.contains(document.activeElement)) this.#items.get(current)?.focus({ preventScroll: true });
  }

  #item(page) {
    let item = this.#items.get(page.page_id);
    if (!item) {
      const picture = element("img", { alt: "", loading: "lazy", decoding: "async", draggable: false });
      picture.addEventListener("load", () => item.classList.add("loaded"), { once: true });
      item = element("li", { role: "option", draggable: true }, picture);
      item.dataset.page = page.page_id;
      this.#items.set(page.page_id, item);
    }
    if (set(item, "data-turned", String(page.rotation_degrees))) {
      item.firstChild.src = this.#pages.imageUrl(page, { widthPx: WIDTH_PX });
    }
    return item;
  }

  #renderComing() {
    const { coming } = this.#pages;
    if (!coming) return this.#coming.remove();
    const bar = this.#coming.firstChild;
    if (coming.fraction > 0) bar.value = coming.fraction;
    else bar.removeAttribute("value");
    this.#coming.dataset.number = `Page ${coming.number}`;
    if (!this.#coming.isConnected) this.#coming.scrollIntoView({ block: "nearest" });
    if (this.#list.lastElementChild !== this.#coming) this.#list.append(this.#coming);
  }

  #click(event) {
    const id = event.target.closest("[data-page]")?.dataset.page;
    if (!id) return;
    this.#pages.select(id, { toggle: event.ctrlKey || event.metaKey, extend: event.shiftKey });
    this.#items.get(id).focus({ preventScroll: true });
  }

  #key(event, open) {
    const across = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns(), ArrowDown: this.#columns() }[event.key];
    const far = { Home: -Infinity, End: Infinity }[event.key];
    const by = across ?? far;
    if (by !== undefined && (event.ctrlKey || event.metaKey)) {
      if (across === undefined) return;
      this.#pages.moveBy(Math.sign(across));
    } else if (by !== undefined) this.#pages.step(by, { extend: event.shiftKey });
    else if (event.key === " ") this.#pages.select(this.#pages.current, { toggle: true });
    else if (event.key === "Enter" && !event.ctrlKey) open();
    else return;
    event.preventDefault();
  }

  #columns() {
    return getComputedStyle(this.#list).gridTemplateColumns.split(" ").length;
  }

  #listenToDrag() {
    const list = this.#list;
    list.addEventListener("dragstart", (event) => {
      const id = event.target.closest?.("[data-page]")?.dataset.page;
      if (!id) return;
      if (!this.#pages.selected.has(id)) this.#pages.select(id);
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", counted(this.#pages.selected.size, "page"));
      this.#dragged = true;
    });
    list.addEventListener("dragover", (event) => {
      if (!this.#dragged) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "move";
      this.#mark(this.#place(event));
    });
    list.addEventListener("drop", (event) => {
      if (!this.#dragged) return;
      event.preventDefault();
      const place = this.#place(event);
      const before = this.#pages.ids.slice(0, place).filter((id) => this.#pages.selected.has(id)).length;
      this.#pages.moveTo(place - before);
    });
    list.addEventListener("dragend", () => {
      this.#dragged = false;
      this.#mark(null);
    });
    list.addEventListener("dragleave", (event) => {
      if (!list.contains(event.relatedTarget)) this.#mark(null);
    });
  }

  /** Before which page a drop would put the dragged ones. */
  #place(event) {
    const over = event.target.closest?.("[data-page]");
    if (!over) return this.#pages.ids.length;
    const box = over.getBoundingClientRect();
    return this.#pages.ids.indexOf(over.dataset.page) + (event.clientX > box.left + box.width / 2 ? 1 : 0);
  }

  #mark(place) {
    const ids = this.#pages.ids;
    for (const item of this.#items.values()) item.classList.remove("drop-before", "drop-after");
    if (place === null || !ids.length) return;
    if (place < ids.length) this.#items.get(ids[place]).classList.add("drop-before");
    else this.#items.get(ids.at(-1)).classList.add("drop-after");
  }
}
