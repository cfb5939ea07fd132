import { byId, counted } from "./element.js";
import { announce, dismiss, notify } from "./notices.js";

/** One scan at a time: its progress, its pages, and how it ended in words. */
export class Scanning extends EventTarget {
  #pages;
  #scanner = null;
  #scan = null;
  #again;

  /** @param {import("./pages.js").PageList} pages @param {() => void} again starts the next scan */
  constructor(pages, again) {
    super();
    this.#pages = pages;
    this.#again = again;
  }

  attach(scanner) {
    this.#scanner = scanner;
  }

  get running() {
    return this.#scan !== null;
  }

  /** @param {string} deviceId @param {object} settings */
  start(deviceId, settings) {
    return this.#watch(this.#scanner.scan({ deviceId, ...settings }), 0);
  }

  /** Come back to the scan that was running before the page was loaded again. */
  async resume() {
    if (this.running) return;
    const job = (await this.#scanner.jobs()).findLast(({ state }) => state === "pending" || state === "running");
    if (job) await this.#watch(this.#scanner.follow(job), job.pages);
  }

  cancel() {
    if (!this.#scan) return;
    byId("progress-text").textContent = "Stopping…";
    byId("cancel").disabled = true;
    this.#scan.cancel();
  }

  async #watch(scan, before) {
    this.#scan = scan;
    dismiss("scan");
    byId("cancel").disabled = false;
    this.#show({ number: before + 1, fraction: -1 });
    scan.onprogress = (progress) => this.#show(progress);
    this.dispatchEvent(new Event("change"));
    let count = before;
    try {
      for await (const page of scan) {
        count += 1;
        this.#pages.append(page);
        this.#show({ number: count + 1, fraction: -1 });
        announce(`Page ${count} scanned`);
      }
      this.#ended(scan, count);
    } catch (error) {
      notify("scan", { kind: "bad", text: error.message, more: kept(count), action: ["Scan again", this.#again] });
    } finally {
      this.#scan = null;
      this.#pages.setComing(null);
      this.dispatchEvent(new Event("change"));
      this.#pages.refresh();
    }
  }

  #ended(scan, count) {
    if (scan.job?.state === "completed") announce(`${counted(count, "page")} scanned.`);
    else notify("scan", { kind: "plain", text: "The scan was canceled.", more: kept(count) });
  }

  #show({ number, fraction }) {
    this.#pages.setComing({ number, fraction });
    if (byId("cancel").disabled) return;
    const known = fraction > 0;
    byId("progress-text").textContent = known ? `Scanning page ${number}` : `Waiting for page ${number}`;
    byId("progress-share").textContent = known ? `${Math.round(fraction * 100)} %` : "";
    if (known) byId("progress-bar").value = fraction;
    else byId("progress-bar").removeAttribute("value");
  }
}

const kept = (count) => (count ? `${counted(count, "page")} ${count === 1 ? "is" : "are"} kept.` : "");
