import { ScanbusError } from "./errors.js";
import { listPages, readPage } from "./pages.js";

/**
 * @typedef {import("../scanbus.js").Job} Job
 * @typedef {{number: number, fraction: number}} Progress `fraction` is 0 to 1, or -1 where nobody knows the height
 */

const LOST = "The scan ended when Scanbus was restarted. Load the pages that are missing and press Scan.";

export const readJob = (job) => ({ pages: 0, gap: 0, paused: null, ...job });

/** Whether a scan goes on, or may go on. @param {Job} job */
export const isOpen = (job) => job.state === "pending" || job.state === "running";

/** A scan: an async iterator of pages, in the order in which the scanner gave them. */
export class Scan {
  /** @type {Job|null} */
  job;
  /** @type {((progress: Progress) => void)|null} */
  onprogress = null;
  /** The scan waits: `job.paused` says why, `job.gap` which page was not kept. @type {((job: Job) => void)|null} */
  onpause = null;
  /** It goes on, by `resume` or by itself. @type {((job: Job) => void)|null} */
  oncontinue = null;
  /** A sheet was put back that is page `number`, as it seems: `kept` again because that is not certain, or not.
   * @type {((repeat: {number: number, page_id: string, kept: boolean}) => void)|null} */
  onrepeat = null;
  #connection;
  #arrived = [];
  #delivered = new Set();
  #canceled = false;
  #request = new AbortController();
  #end = null;
  #wake = () => {};

  constructor(connection, request, signal, job = null) {
    this.job = job;
    this.#connection = connection;
    for (let number = 1; number <= (job?.pages ?? 0); number += 1) this.#delivered.add(number);
    const abort = () => this.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) this.cancel();
    this.#run(request)
      .then(() => ({}), (error) => this.#failed(error, signal))
      .then((end) => {
        signal?.removeEventListener("abort", abort);
        this.#end = end;
        this.#wake();
      });
  }

  /** Go on after a pause: `putBack` sheets that are kept lie on top again; without it, that is found out.
   * @param {{putBack?: number}} [options] */
  async resume({ putBack = -1 } = {}) {
    await this.#connection.call({ type: "device.resume", job_id: this.job.job_id, put_back: putBack });
  }

  /** Stop the feeder; finished pages still arrive, then the loop ends. */
  cancel() {
    if (this.#canceled || this.#end) return;
    this.#canceled = true;
    if (!this.job) this.#request.abort();
    else this.#connection.call({ type: "device.stop", job_id: this.job.job_id }).catch(() => this.#request.abort());
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        while (this.#arrived.length) yield this.#arrived.shift();
        if (this.#end?.error) throw this.#end.error;
        if (this.#end) return;
        await new Promise((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.cancel();
    }
  }

  async #run(request) {
    const options = { onPart: (part) => this.#take(part), signal: this.#request.signal };
    for (let again = false; ; again = true) {
      try {
        if (again) {
          await this.#connection.reopened();
          if (await this.#catchUp()) return;
          request = { type: "device.follow", job_id: this.job.job_id };
        }
        this.job = readJob((await this.#connection.call(request, options)).job);
        return;
      } catch (error) {
        if (!this.job || error.data?.connection !== "lost") throw error;
      }
    }
  }

  /** How the loop ends: quietly when it was canceled here, with the signal's reason when that was aborted. */
  #failed(error, signal) {
    const canceled = error.code === "canceled";
    const state = canceled ? "canceled" : "faulted";
    if (this.job) this.job = { ...this.job, state, pages: this.#delivered.size };
    if (canceled && signal?.aborted) return { error: signal.reason };
    return canceled && this.#canceled ? {} : { error };
  }

  /** After a lost connection: what came in the meantime; true when the scan has ended. */
  async #catchUp() {
    const call = (message) => this.#connection.call(message);
    const { jobs } = await call({ type: "device.list_jobs" });
    const job = jobs.find(({ job_id }) => job_id === this.job.job_id);
    const { pages } = await listPages(call, { document_id: job?.document_id ?? "" });
    const own = pages.filter(({ job_id }) => job_id === this.job.job_id).sort((a, b) => a.number - b.number);
    for (const page of own) this.#deliver(page.number, page);
    if (!job) throw new ScanbusError("lost", LOST);
    this.#became(job);
    if (job.fault) throw new ScanbusError(job.fault.code, job.fault.text, job.fault.data);
    return !isOpen(job);
  }

  #take(part) {
    const say = {
      "device.started": () => this.#started(part.job),
      "device.progress": () => this.onprogress?.({ number: part.number, fraction: part.fraction }),
      "device.scanned_page": () => this.#scanned(part),
      "device.paused": () => this.#became(part.job),
      "device.continued": () => this.#became(part.job),
      "device.repeated": () => this.onrepeat?.({ number: part.number, page_id: part.page_id, kept: false }),
    }[part.type];
    say?.();
  }

  #scanned({ number, page, resembles }) {
    this.#deliver(number, page);
    if (resembles) this.onrepeat?.({ number: resembles, page_id: page.page_id, kept: true });
  }

  #started(job) {
    this.#became(job);
    if (this.#canceled) this.#connection.call({ type: "device.stop", job_id: this.job.job_id }).catch(() => {});
  }

  #became(job) {
    const waited = this.job?.paused;
    this.job = readJob(job);
    if (this.job.paused) this.onpause?.(this.job);
    else if (waited) this.oncontinue?.(this.job);
  }

  #deliver(number, page) {
    if (this.#delivered.has(number)) return;
    this.#delivered.add(number);
    this.#arrived.push(readPage(page));
    this.#wake();
  }
}
