import { Dragging } from "./dragging.js";
import { byId, element } from "./element.js";
import { Grid } from "./grid.js";

const WIDTH_PX = 240;

/** Touches the document only where something changed. */
function set(item, name, value) {
  const changed = item.getAttribute(name) !== value;
  if (changed) item.setAttribute(name, value);
  return changed;
}

/** The pages as small pictures in their order; only those near the screen are elements. */
export class Thumbnails {
  #pages;
  #edits;
  #damage;
  #list = byId("thumbnails");
  #grid = new Grid(this.#list);
  #drag;
  #items = new Map();
  #coming = element("li", { className: "coming", role: "presentation" });
  #revealed = "";
  #frame = 0;

  /**
   * @param {import("./pages.js").PageList} pages @param {import("./edits.js").Edits} edits
   * @param {import("./damage.js").Damage} damage @param {() => void} open shows the current page large
   */
  constructor(pages, edits, damage, open) {
    this.#pages = pages;
    this.#edits = edits;
    this.#damage = damage;
    this.#drag = new Dragging(this.#list, pages, this.#grid, (moved, place) => edits.moveTo(place, moved));
    this.#coming.append(element("progress", { max: 1, "aria-label": "Next page" }));
    pages.addEventListener("change", () => this.#render());
    pages.addEventListener("coming", () => this.#renderComing());
    damage.addEventListener("change", () => this.#render());
    this.#list.addEventListener("click", (event) => this.#click(event));
    this.#list.addEventListener("dblclick", open);
    this.#list.addEventListener("keydown", (event) => this.#key(event, open));
    document.addEventListener("scroll", () => this.#soon(), { capture: true, passive: true });
    const sizes = new ResizeObserver(() => this.#resized());
    for (const watched of [this.#list, this.#list.parentElement]) sizes.observe(watched);
    this.#grid.measure();
  }

  /** Ask again for pictures that could not be had. */
  retry() {
    for (const item of this.#items.values()) if (!item.classList.contains("loaded")) item.removeAttribute("data-shown");
    this.#render();
  }

  #resized() {
    this.#grid.measure();
    this.#render();
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
    });
  }

  #render() {
    const { pages, current, coming } = this.#pages;
    const at = this.#pages.indexOf(current);
    this.#grid.resize(pages.length + (coming ? 1 : 0));
    const hadFocus = this.#list.contains(document.activeElement);
    const wanted = this.#wanted(pages.length, at);
    const ids = new Set(wanted.map((index) => pages[index].page_id));
    for (const [id, item] of this.#items) if (!ids.has(id)) this.#discard(id, item);
    let next = this.#list.firstElementChild;
    for (const index of wanted) {
      const item = this.#item(pages[index], index);
      if (item === next) next = item.nextElementSibling;
      else this.#list.insertBefore(item, next);
    }
    const focused = hadFocus || document.activeElement === document.body;
    const revealed = `${current} ${at}`;
    if (focused && at >= 0 && revealed !== this.#revealed) this.#items.get(current).scrollIntoView({ block: "nearest" });
    this.#revealed = revealed;
    if (hadFocus) this.#items.get(current)?.focus({ preventScroll: true });
    this.#renderComing();
  }

  /** Indexes of the pages that are elements: those near the screen, the current one, and the one that is dragged. */
  #wanted(count, current) {
    const [first, last] = this.#grid.seen();
    const also = [current, this.#pages.indexOf(this.#drag.held)].filter((index) => index >= 0);
    const near = Array.from({ length: Math.max(0, Math.min(last, count) - first) }, (_, each) => first + each);
    return [...new Set([...near, ...also])].sort((a, b) => a - b);
  }

  #item(page, index) {
    const { selected, current } = this.#pages;
    const item = this.#items.get(page.page_id) ?? this.#made(page.page_id);
    const turned = page.rotation_degrees ? `, rotated ${page.rotation_degrees} degrees` : "";
    const tagged = page.tags.length ? `, tagged ${page.tags.join(", ")}` : "";
    const damaged = this.#damage.has(page.page_id);
    set(item, "aria-label", `Page ${index + 1}${turned}${tagged}${damaged ? ", damaged" : ""}`);
    set(item, "aria-selected", String(selected.has(page.page_id)));
    set(item, "aria-posinset", String(index + 1));
    set(item, "aria-setsize", String(this.#pages.ids.length));
    set(item, "tabindex", page.page_id === current ? "0" : "-1");
    set(item, "data-number", String(index + 1));
    set(item, "data-tags", page.tags.join(", "));
    item.classList.toggle("current", page.page_id === current);
    item.classList.toggle("cut", this.#edits.cut.has(page.page_id));
    item.classList.toggle("damaged", damaged);
    if (set(item, "data-shown", String(page.rotation_degrees))) {
      item.firstChild.src = this.#pages.imageUrl(page, { widthPx: WIDTH_PX });
    }
    this.#grid.put(item, index);
    return item;
  }

  #made(id) {
    const picture = element("img", { alt: "", decoding: "async", draggable: false });
    const item = element("li", { role: "option", draggable: true }, picture);
    item.dataset.page = id;
    picture.addEventListener("load", () => item.classList.add("loaded"));
    picture.addEventListener("error", () => this.#damage.examine(id, picture.src));
    this.#items.set(id, item);
    return item;
  }

  #discard(id, item) {
    // What is scrolled past shall not keep the browser busy with its picture.
    item.firstChild.removeAttribute("src");
    item.remove();
    this.#items.delete(id);
  }

  #renderComing() {
    const { coming, pages } = this.#pages;
    if (!coming) return this.#coming.remove();
    const bar = this.#coming.firstChild;
    if (coming.fraction > 0) bar.value = coming.fraction;
    else bar.removeAttribute("value");
    this.#grid.put(this.#coming, pages.length);
    const label = `Page ${coming.number}`;
    const moved = this.#coming.dataset.number !== label || !this.#coming.isConnected;
    this.#coming.dataset.number = label;
    if (this.#list.lastElementChild !== this.#coming) this.#list.append(this.#coming);
    if (moved) this.#coming.scrollIntoView({ block: "nearest" });
  }

  #click(event) {
    const id = event.target.closest("[data-page]")?.dataset.page;
    if (!id) return;
    this.#pages.select(id, { toggle: event.ctrlKey || event.metaKey, extend: event.shiftKey });
    this.#items.get(id).focus({ preventScroll: true });
  }

  #key(event, open) {
    const command = event.ctrlKey || event.metaKey;
    const { columns } = this.#grid;
    const across = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const by = across ?? { Home: -Infinity, End: Infinity }[event.key];
    if (by !== undefined && command) this.#edits.moveBy(by);
    else if (by !== undefined) this.#pages.step(by, { extend: event.shiftKey });
    else if (event.key === " ") this.#pages.select(this.#pages.current, { toggle: true });
    else if (event.key === "Enter" && !command) open();
    else return;
    event.preventDefault();
  }
}
