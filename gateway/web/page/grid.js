/** Where the items of a grid are by their index: without it, all of ten thousand pages would have to be elements. */

export class Grid {
  #list;
  #columns = 1;
  #row = 1;
  #rowGap = 0;
  #columnGap = 0;
  #left = 0;
  #top = 0;

  /** @param {HTMLElement} list `grid-auto-columns` and `-rows` are the least width and the height
   *   of an item; `--rows` becomes how many rows there are */
  constructor(list) {
    this.#list = list;
  }

  get columns() {
    return this.#columns;
  }

  /** Read how wide and high things are; needed again after a change of size. */
  measure() {
    const style = getComputedStyle(this.#list);
    this.#rowGap = parseFloat(style.rowGap);
    this.#columnGap = parseFloat(style.columnGap);
    this.#row = parseFloat(style.gridAutoRows) + this.#rowGap;
    this.#left = parseFloat(style.paddingLeft);
    this.#top = parseFloat(style.paddingTop);
    // Not the columns that there are: items that are placed beyond the last one make more of them.
    const width = this.#list.clientWidth - 2 * this.#left + this.#columnGap;
    this.#columns = Math.max(1, Math.floor(width / (parseFloat(style.gridAutoColumns) + this.#columnGap)));
  }

  /** Make room. @param {number} count items */
  resize(count) {
    this.#list.style.setProperty("--rows", String(Math.max(1, Math.ceil(count / this.#columns))));
  }

  /** @param {HTMLElement} item @param {number} index */
  put(item, index) {
    item.style.gridArea = `${Math.floor(index / this.#columns) + 1} / ${(index % this.#columns) + 1}`;
  }

  /** The first index on the screen and the one after the last, with a screen more on either side. */
  seen() {
    const top = this.#list.getBoundingClientRect().top + this.#top;
    const first = Math.floor((-innerHeight - top) / this.#row);
    const last = Math.ceil((2 * innerHeight - top) / this.#row);
    return [Math.max(0, first) * this.#columns, Math.max(0, last) * this.#columns];
  }

  /** The index between whose left side and its neighbor's a point of the screen is, at most `count`. */
  at({ clientX, clientY }, count) {
    const box = this.#list.getBoundingClientRect();
    const width = (box.width - 2 * this.#left + this.#columnGap) / this.#columns;
    const row = Math.floor((clientY - box.top - this.#top + this.#rowGap / 2) / this.#row);
    const column = Math.round((clientX - box.left - this.#left + this.#columnGap / 2) / width);
    const index = Math.max(0, row) * this.#columns + Math.min(this.#columns, Math.max(0, column));
    return Math.min(count, index);
  }
}
