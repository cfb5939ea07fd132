import { byId } from "./element.js";

const STEP = 1.25;
const LEAST = 0.05;
const MOST = 4;
const WIDTHS_PX = [600, 1000, 1600, 2400];

/** The current page, large: fit to the window, or at a zoom, where dragging pans. */
export class Viewer {
  #pages;
  #pane = byId("viewer");
  #paper = byId("paper");
  #picture = byId("picture");
  /** Screen pixels for one pixel of the page; 0 fits the page to the window. */
  #zoom = 0;
  #shown = "";

  /** @param {import("./pages.js").PageList} pages @param {import("./edits.js").Edits} edits */
  constructor(pages, edits) {
    this.#pages = pages;
    pages.addEventListener("change", () => this.#render());
    new ResizeObserver(() => this.#render()).observe(this.#paper);
    const commands = {
      "view-earlier": () => pages.step(-1),
      "view-later": () => pages.step(1),
      "view-rotate-left": () => edits.rotate(-90, [pages.current]),
      "view-rotate-right": () => edits.rotate(90, [pages.current]),
      "view-close": () => this.close(),
      "zoom-in": () => this.zoomBy(STEP),
      "zoom-out": () => this.zoomBy(1 / STEP),
      "zoom-fit": () => this.zoomTo(0),
      "zoom-full": () => this.zoomTo(1),
    };
    for (const [id, run] of Object.entries(commands)) byId(id).addEventListener("click", run);
    this.#paper.addEventListener("dblclick", () => this.zoomTo(this.#zoom ? 0 : 1));
    this.#paper.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#paper.addEventListener("pointerdown", (event) => this.#pan(event));
    this.#picture.addEventListener("load", () => this.#picture.classList.remove("loading"));
  }

  /** On a narrow screen the viewer lies over the pages. */
  open() {
    if (!this.#pages.current) return;
    this.#pane.classList.add("open");
    this.#render();
    this.#paper.focus();
  }

  /** @returns {boolean} whether it was open */
  close() {
    const was = this.#pane.classList.contains("open");
    this.#pane.classList.remove("open");
    if (was) document.querySelector("#thumbnails .current")?.focus();
    return was;
  }

  zoomBy(factor) {
    this.zoomTo(Math.min(MOST, Math.max(LEAST, this.#scale() * factor)));
  }

  /** Keeps the middle of the window, or the point given, where it is. @param {number} zoom */
  zoomTo(zoom, point = { x: this.#paper.clientWidth / 2, y: this.#paper.clientHeight / 2 }) {
    const paper = this.#paper;
    const before = this.#scale();
    const [x, y] = [paper.scrollLeft + point.x, paper.scrollTop + point.y];
    this.#zoom = zoom;
    this.#render();
    if (zoom) paper.scrollTo((x * zoom) / before - point.x, (y * zoom) / before - point.y);
  }

  #size(page) {
    const { width_px, height_px } = page.image;
    return page.rotation_degrees % 180 ? [height_px, width_px] : [width_px, height_px];
  }

  #scale() {
    const page = this.#pages.currentPage;
    if (this.#zoom || !page) return this.#zoom || 1;
    const [width, height] = this.#size(page);
    const gap = 2 * parseFloat(getComputedStyle(this.#paper).paddingLeft);
    return Math.min(1, (this.#paper.clientWidth - gap) / width, (this.#paper.clientHeight - gap) / height);
  }

  #render() {
    const { ids, current, currentPage: page } = this.#pages;
    const at = this.#pages.indexOf(current);
    this.#pane.classList.toggle("vacant", !page);
    this.#picture.hidden = !page;
    byId("view-number").textContent = page ? `${at + 1} / ${ids.length}` : "";
    byId("view-earlier").disabled = at <= 0;
    byId("view-later").disabled = !page || at === ids.length - 1;
    byId("zoom").textContent = `${Math.round(this.#scale() * 100)} %`;
    byId("zoom-fit").setAttribute("aria-pressed", String(this.#zoom === 0));
    byId("zoom-full").setAttribute("aria-pressed", String(this.#zoom === 1));
    if (!page) {
      this.#shown = "";
      byId("view-facts").textContent = "";
      return this.close();
    }
    if (!this.#paper.clientWidth) return;
    const [width, height] = this.#size(page);
    const scale = this.#scale();
    this.#picture.style.width = `${Math.max(1, Math.round(width * scale))}px`;
    this.#picture.style.height = `${Math.max(1, Math.round(height * scale))}px`;
    const needed = width * scale * devicePixelRatio;
    const widthPx = WIDTHS_PX.find((candidate) => candidate >= needed && candidate < width) ?? 0;
    const src = this.#pages.imageUrl(page, { widthPx });
    if (src !== this.#shown) {
      this.#picture.classList.add("loading");
      this.#picture.src = this.#shown = src;
    }
    this.#picture.alt = `Page ${at + 1}`;
    const dpi = page.image.resolution_dpi;
    const mm = [width, height].map((pixels) => Math.round((pixels / dpi) * 25.4)).join(" × ");
    byId("view-facts").textContent = `${mm} mm, ${dpi} dpi, ${width} × ${height} pixels`;
  }

  #wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = this.#paper.getBoundingClientRect();
    const zoom = this.#scale() * (event.deltaY < 0 ? STEP : 1 / STEP);
    this.zoomTo(Math.min(MOST, Math.max(LEAST, zoom)), { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  #pan(event) {
    if (event.pointerType !== "mouse" || event.button !== 0 || !this.#zoom) return;
    event.preventDefault();
    const paper = this.#paper;
    paper.setPointerCapture(event.pointerId);
    const move = ({ movementX, movementY }) => paper.scrollBy(-movementX, -movementY);
    paper.addEventListener("pointermove", move);
    paper.addEventListener("lostpointercapture", () => paper.removeEventListener("pointermove", move), { once: true });
    paper.focus();
  }
}
