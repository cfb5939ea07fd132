import { ScanbusError } from "./errors.js";
import { listPages, readPage } from "./pages.js";

/**
 * @typedef {import("../scanbus.js").Job} Job
 * @typedef {{number: number, fraction: number}} Progress `fraction` is 0 to 1, or -1 where nobody knows the height
 */

const LOST = "The scan ended when Scanbus was restarted. Load the pages that are missing and press Scan.";

export const readJob = (job) => ({ pages: 0, ...job });

/** A scan: an async iterator of pages, in the order in which the scanner gave them. */
export class Scan {
  /** @type {Job|null} */
  job;
  /** @type {((progress: Progress) => void)|null} */
  onprogress = null;
  #connection;
  #arrived = [];
  #received = 0;
  #canceled = false;
  #request = new AbortController();
  #end = null;
  #wake = () => {};

  constructor(connection, request, signal, job = null) {
    this.job = job;
    this.#connection = connection;
    this.#received = job?.pages ?? 0;
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
    if (this.job) this.job = { ...this.job, state, pages: this.#received };
    if (canceled && signal?.aborted) return { error: signal.reason };
    return canceled && this.#canceled ? {} : { error };
  }

  /** After a lost connection: what came in the meantime; true when the scan has ended. */
  async #catchUp() {
    const { jobs } = await this.#connection.call({ type: "device.list_jobs" });
    const job = jobs.find(({ job_id }) => job_id === this.job.job_id);
    const pages = await listPages((message) => this.#connection.call(message));
    const missed = pages.filter(({ page_id }) => !this.#connection.delivered.has(page_id));
    for (const page of job ? missed.slice(0, readJob(job).pages - this.#received) : missed) this.#deliver(page);
    if (!job) throw new ScanbusError("lost", LOST);
    this.job = readJob(job);
    if (job.fault) throw new ScanbusError(job.fault.code, job.fault.text, job.fault.data);
    return !["pending", "running"].includes(job.state);
  }

  #take(part) {
    if (part.type === "device.started") {
      this.job = readJob(part.job);
      if (this.#canceled) this.#connection.call({ type: "device.stop", job_id: this.job.job_id }).catch(() => {});
    } else if (part.type === "device.progress") this.onprogress?.({ number: part.number, fraction: part.fraction });
    else if (part.type === "device.scanned_page") this.#deliver(part.page);
  }

  #deliver(page) {
    if (this.#connection.delivered.has(page.page_id)) return;
    this.#connection.delivered.add(page.page_id);
    this.#received += 1;
    this.#arrived.push(readPage(page));
    this.#wake();
  }
}
