import { byId, element } from "./element.js";
import { labeled, selected, toggle } from "./fields.js";
import { menuOf } from "./menu.js";
import { notify } from "./notices.js";

/** Words on pages: put on the selected ones, on all that come, and shown alone. */
export class Tags {
  #pages;
  #edits;
  #documents;
  #scanner = null;
  #refill;
  #shown = "";

  /** @param {import("./pages.js").PageList} pages @param {import("./edits.js").Edits} edits
   * @param {import("./documents.js").Documents} documents */
  constructor(pages, edits, documents) {
    this.#pages = pages;
    this.#edits = edits;
    this.#documents = documents;
    this.#refill = menuOf(byId("tags-open"), byId("tags-menu"), () => this.#fields());
    byId("filter-end").addEventListener("click", () => pages.setTag(""));
    pages.addEventListener("change", () => this.#render());
  }

  attach(scanner) {
    this.#scanner = scanner;
  }

  #render() {
    const menu = byId("tags-menu");
    if (menu.matches(":popover-open")) this.#renew(menu);
    byId("filter").hidden = !this.#pages.tag;
    byId("filter-text").textContent = `Only pages tagged “${this.#pages.tag}”.`;
  }

  /** Fill the open menu again where what it shows has changed. */
  #renew(menu) {
    const shown = JSON.stringify([this.#pages.tags, this.#chosen().map(({ tags }) => tags)]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const typing = menu.querySelector("form input") === document.activeElement;
    this.#refill();
    if (typing) menu.querySelector("form input")?.focus();
  }

  #fields() {
    const { defaultTag } = this.#documents;
    const known = [...new Set([...this.#pages.tags, defaultTag, this.#pages.tag])].filter(Boolean).sort();
    const choices = known.map((tag) => [tag, tag]);
    const show = selected([["", "All pages"], ...choices], this.#pages.tag, (tag) => this.#pages.setTag(tag));
    const coming = selected([["", "No tag"], ...choices], defaultTag, (tag) => this.#setDefault(tag));
    const fields = this.#pages.selection.length ? [...known.map((tag) => this.#box(tag)), this.#fresh()] : [];
    return [...fields, labeled("Show", show), labeled("New pages get", coming)];
  }

  #chosen() {
    return this.#pages.selection.map((id) => this.#pages.pages[this.#pages.indexOf(id)]);
  }

  #box(tag) {
    const chosen = this.#chosen();
    const count = chosen.filter(({ tags }) => tags.includes(tag)).length;
    const box = toggle(count === chosen.length, (on) => this.#edits.tag(on ? { add: [tag] } : { remove: [tag] }));
    box.indeterminate = count > 0 && count < chosen.length;
    return labeled(tag, box);
  }

  #fresh() {
    const input = element("input", { maxLength: 64, placeholder: "New tag", autocomplete: "off", "aria-label": "New tag" });
    const button = element("button", {}, "Add");
    const form = element("form", { className: "pair" }, input, button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const tag = input.value.trim();
      input.value = "";
      if (tag) await this.#edits.tag({ add: [tag] });
    });
    return form;
  }

  async #setDefault(tag) {
    try {
      await this.#scanner.setDefaultTag(tag);
      await this.#documents.refresh();
    } catch (error) {
      notify("edit", { kind: "bad", text: error.message });
    }
  }
}
