import { notify } from "./notices.js";

/** Which pages cannot be read any more, and that a person hears of it once. */
export class Damage extends EventTarget {
  #pages;
  #ids = new Set();

  /** @param {import("./pages.js").PageList} pages */
  constructor(pages) {
    super();
    this.#pages = pages;
  }

  /** @param {string} id */
  has(id) {
    return this.#ids.has(id);
  }

  /** Find out why a picture could not be shown. @param {string} id @param {string} url */
  async examine(id, url) {
    if (this.#ids.has(id)) return;
    const answer = await fetch(url).then((response) => (response.ok ? {} : response.json()), () => ({}));
    if (answer.code !== "damaged") return;
    this.#ids.add(id);
    const numbers = [...this.#ids].map((each) => this.#pages.indexOf(each) + 1).filter(Boolean);
    const all = numbers.sort((a, b) => a - b).join(", ");
    const text = numbers.length === 1 ? `Page ${all} is damaged.` : `Pages ${all} are damaged.`;
    const more = "The file on the disk is not as it was written. All other pages are fine; scan it again or delete it.";
    notify("damaged", { kind: "bad", text, more });
    this.dispatchEvent(new Event("change"));
  }
}
