import { byId, counted, sized } from "./element.js";
import { notify } from "./notices.js";
import { recall, remember } from "./memory.js";

const FORBIDDEN = /[\\/:*?"<>|\u0000-\u001f]/g;

/** The dialog that makes a PDF and hands it to the browser's downloads. */
export class Saving {
  #pages;
  #edits;
  #scanner = null;
  #dialog = byId("save");
  #stop = null;

  /** @param {import("./pages.js").PageList} pages @param {import("./edits.js").Edits} edits */
  constructor(pages, edits) {
    this.#pages = pages;
    this.#edits = edits;
    byId("save-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    byId("save-form").addEventListener("change", () => this.#quality());
    byId("save-quality").addEventListener("input", () => this.#quality());
    byId("save-cancel").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#stop?.abort());
  }

  attach(scanner) {
    this.#scanner = scanner;
  }

  open() {
    const { pages, selection } = this.#pages;
    if (!pages.length || this.#dialog.open) return;
    const { compression = "jpeg", quality = 85 } = recall("save") ?? {};
    const stamp = new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString();
    byId("save-name").value ||= `Scan ${stamp.slice(0, 10)} ${stamp.slice(11, 16).replace(":", ".")}`;
    byId("save-all").textContent = `All ${pages.length}`;
    byId("save-selected").textContent = `Selected ${selection.length}`;
    byId("save-range").hidden = selection.length === pages.length || selection.length < 2;
    const form = byId("save-form");
    form.elements.range.value = "all";
    form.elements.compression.value = compression;
    byId("save-quality").value = quality;
    this.#quality();
    this.#busy(false);
    byId("save-fault").hidden = true;
    this.#dialog.showModal();
    byId("save-name").select();
  }

  #quality() {
    byId("save-quality-field").hidden = byId("save-form").elements.compression.value !== "jpeg";
    byId("save-quality-value").textContent = byId("save-quality").value;
  }

  #busy(busy) {
    byId("save-start").disabled = busy;
    byId("save-progress").hidden = !busy;
    byId("save-progress-text").textContent = "Making the file…";
    byId("save-progress-bar").removeAttribute("value");
  }

  async #save() {
    const { range, compression } = byId("save-form").elements;
    const quality = byId("save-quality").valueAsNumber;
    const name = byId("save-name").value.replace(FORBIDDEN, "-").replace(/\.pdf$/i, "").trim() || "Scan";
    remember("save", { compression: compression.value, quality });
    this.#busy(true);
    byId("save-fault").hidden = true;
    this.#stop = new AbortController();
    try {
      await this.#edits.settle();
      const pdf = await this.#scanner.pdf({
        pages: range.value === "selected" ? this.#pages.selection : this.#pages.ids,
        compression: compression.value,
        quality,
        title: byId("save-document-title").value,
        filename: `${name}.pdf`,
        onprogress: (done) => this.#show(done),
        signal: this.#stop.signal,
      });
      download(pdf.url, `${name}.pdf`);
      const more = `${counted(pdf.pages, "page")}, ${sized(pdf.size)}.`;
      notify("save", { kind: "good", text: `${name}.pdf is in your downloads.`, more });
      byId("save-name").value = "";
      this.#stop = null;
      this.#dialog.close();
    } catch (error) {
      if (error.code === "canceled") return;
      byId("save-fault").textContent = error.message;
      byId("save-fault").hidden = false;
    } finally {
      this.#busy(false);
    }
  }

  #show({ pages, total }) {
    byId("save-progress-text").textContent = `Page ${pages} of ${total}`;
    byId("save-progress-bar").value = pages / total;
  }
}

function download(url, filename) {
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
}
