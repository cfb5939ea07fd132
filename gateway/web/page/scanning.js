import { isOpen } from "../scanbus.js";
import { byId, counted } from "./element.js";
import { announce, dismiss, notify } from "./notices.js";
import { tellPause } from "./pause.js";

/** How long a jam waits for a person before the scan ends. */
const PAUSE_S = 3600;

/** One scan at a time: its progress, its pages, and how it ended in words. */
export class Scanning extends EventTarget {
  #pages;
  #scanner = null;
  #scan = null;
  #repeated = 0;
  #alike = [];
  #waiting = false;
  #again;

  /** @param {import("./pages.js").PageList} pages @param {() => void} again starts the next scan */
  constructor(pages, again) {
    super();
    this.#pages = pages;
    this.#again = again;
    // The last pages may be known a moment after the pause is.
    pages.addEventListener("change", () => this.#waiting && this.#tellPause());
  }

  attach(scanner) {
    this.#scanner = scanner;
  }

  get running() {
    return this.#scan !== null;
  }

  /** Whether it waits for a person, or for room. */
  get paused() {
    return Boolean(this.#scan?.job?.paused);
  }

  /** @param {string} deviceId @param {object} settings */
  start(deviceId, settings) {
    const { documentId } = this.#pages;
    return this.#watch(this.#scanner.scan({ deviceId, ...settings }, { documentId, pauseS: PAUSE_S }), 0);
  }

  /** Come back to the scan that was running before the page was loaded again. */
  async resume() {
    if (this.running) return;
    const job = (await this.#scanner.jobs()).findLast(isOpen);
    if (job) await this.#watch(this.#scanner.follow(job), job.pages);
  }

  cancel() {
    if (!this.#scan) return;
    this.#waiting = false;
    dismiss("pause");
    byId("progress-text").textContent = "Stopping…";
    byId("cancel").disabled = true;
    this.#scan.cancel();
  }

  async #watch(scan, before) {
    this.#scan = scan;
    this.#repeated = 0;
    this.#alike = [];
    dismiss("scan");
    byId("cancel").disabled = false;
    this.#show({ number: before + 1, fraction: -1 });
    scan.onprogress = (progress) => this.#show(progress);
    scan.onpause = () => this.#paused();
    scan.oncontinue = () => this.#continued();
    scan.onrepeat = ({ number, kept }) => (kept ? this.#alike.push(number) : (this.#repeated += 1));
    this.dispatchEvent(new Event("change"));
    let count = before;
    try {
      for await (const page of scan) {
        count += 1;
        this.#show({ number: page.number + 1, fraction: -1 });
        announce(`Page ${page.number} scanned`);
      }
      this.#ended(scan, count);
    } catch (error) {
      const actions = [["Scan again", this.#again]];
      notify("scan", { kind: "bad", text: error.message, more: `${lost(error)}${kept(count)}`, actions });
    } finally {
      this.#scan = null;
      this.#waiting = false;
      dismiss("pause");
      this.#tellRepeats();
      this.#pages.setComing(null);
      this.dispatchEvent(new Event("change"));
    }
  }

  #ended(scan, count) {
    if (scan.job?.state === "completed") announce(`${counted(count, "page")} scanned.`);
    else notify("scan", { kind: "plain", text: "The scan was canceled.", more: kept(count) });
  }

  #paused() {
    this.#waiting = true;
    this.#tellPause();
    byId("progress-text").textContent = "Paused";
    byId("progress-share").textContent = "";
    byId("progress-bar").value = 0;
    this.dispatchEvent(new Event("change"));
  }

  #tellPause() {
    tellPause(this.#scan.job, this.#pages, { proceed: () => this.#proceed(), finish: () => this.cancel() });
  }

  async #proceed() {
    this.#waiting = false;
    byId("progress-text").textContent = "Going on…";
    byId("progress-bar").removeAttribute("value");
    try {
      await this.#scan?.resume();
    } catch (error) {
      if (this.paused) this.#paused();
      notify("scan", { kind: "bad", text: error.message });
    }
  }

  #continued() {
    this.#waiting = false;
    dismiss("pause");
    dismiss("scan");
    this.dispatchEvent(new Event("change"));
  }

  #tellRepeats() {
    if (this.#alike.length) {
      const text = `Look at page ${this.#alike.join(", ")}: there may be a second one like it.`;
      notify("alike", { kind: "plain", text, more: "It was not certain, so both were kept. Delete one of them if they are the same." });
    }
    if (!this.#repeated) return;
    const [were, again] = this.#repeated === 1 ? ["was", "it was"] : ["were", "they were"];
    const text = `${counted(this.#repeated, "page")} ${were} here already.`;
    notify("repeated", { kind: "plain", text, more: `Put back, ${again} recognized and not kept twice.` });
  }

  #show({ number, fraction }) {
    this.#pages.setComing({ number, fraction });
    if (byId("cancel").disabled || this.paused) return;
    const known = fraction > 0;
    byId("progress-text").textContent = known ? `Scanning page ${number}` : `Waiting for page ${number}`;
    byId("progress-share").textContent = known ? `${Math.round(fraction * 100)} %` : "";
    if (known) byId("progress-bar").value = fraction;
    else byId("progress-bar").removeAttribute("value");
  }
}

const lost = ({ data }) => (data.gap ? `Page ${data.gap} was not kept. ` : "");
const kept = (count) => (count ? `${counted(count, "page")} ${count === 1 ? "is" : "are"} kept.` : "");
