/**
 * Scan from a web page: the client of the Scanbus service.
 *
 *     import { connect } from "http://127.0.0.1:18622/web/scanbus.js";
 *
 *     const scanner = await connect();
 *     const [device] = await scanner.devices();
 *     for await (const page of scanner.scan({ deviceId: device.device_id, source: "feeder" })) {
 *       document.body.append(Object.assign(new Image(), { src: scanner.imageUrl(page, { widthPx: 240 }) }));
 *     }
 *     const pdf = await scanner.pdf({ title: "My scan" });
 *
 * Names of settings, and the fields of devices, pages and jobs, are those of the protocol.
 *
 * @typedef {{device_id: string, name: string, vendor: string, model: string, driver: string}} Device
 * @typedef {{page_id: string, rotation_degrees: number, image: {width_px: number, height_px: number,
 *   resolution_dpi: number, color: "color"|"gray"|"mono", back?: boolean}}} Page
 * @typedef {{job_id: string, device_id: string, pages: number, fault?: {code: string, text: string},
 *   state: "pending"|"running"|"completed"|"faulted"|"canceled"}} Job
 * @typedef {import("./client/scan.js").Scan} Scan
 * @typedef {import("./client/scan.js").Progress} Progress
 * @typedef {import("./client/connection.js").ConnectionState} ConnectionState
 */

import { Connection } from "./client/connection.js";
import { ScanbusError } from "./client/errors.js";
import { listPages } from "./client/pages.js";
import { readJob, Scan } from "./client/scan.js";

export { ScanbusError };

/**
 * Open a session, or come back to one with its token.
 *
 * @param {{url?: string, token?: string}} [where]
 * @returns {Promise<Scanner>}
 * @throws {ScanbusError} `unavailable`: nobody answers; `permission`: the browser forbids it; `denied`: not this site
 */
export async function connect({ url = defaultUrl(), token = "" } = {}) {
  const connection = new Connection(new URL(url), token);
  await connection.open();
  return new Scanner(connection);
}

/** One session: its devices, scans and pages. */
class Scanner {
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** Give it to `connect` to come back to this session. */
  get token() {
    return this.#connection.token;
  }

  /** Version of the service. */
  get version() {
    return this.#connection.session.version;
  }

  /** @returns {ConnectionState} */
  get state() {
    return this.#connection.state;
  }

  /** Say anything of the protocol; resolves to the reply, `onPart` gets what comes before it.
   * @param {{type: string}} message @param {{onPart?: (part: any) => void, signal?: AbortSignal}} [options] */
  call(message, options) {
    return this.#connection.call(message, options);
  }

  /** @param {{wait?: boolean}} [options] `wait`: until every driver has answered @returns {Promise<Device[]>} */
  async devices({ wait = true } = {}) {
    const { devices } = await this.call({ type: "device.list_devices", wait });
    return devices.map((device) => ({ vendor: "", model: "", driver: "", ...device }));
  }

  /** What a device can do, with every field that may be left out filled in. @param {string} deviceId */
  async capabilities(deviceId) {
    const { capabilities } = await this.call({ type: "device.describe", device_id: deviceId });
    const defaults = { default_color: "color", default_resolution_dpi: 300, brightness: false, contrast: false };
    const ofOption = { title: "", description: "", unit: "", value: null, choices: [], range: null, length: 1 };
    return {
      ...defaults,
      ...capabilities,
      sources: capabilities.sources.map((source) => ({ resolutions_dpi: [], page_sizes: [], ...source })),
      options: (capabilities.options ?? []).map((option) => ({ ...ofOption, active: true, settable: true, ...option })),
    };
  }

  /** Scan; leaving the loop or aborting the signal cancels, and finished pages are kept.
   * @param {{deviceId: string, [setting: string]: any}} request the settings are those of the protocol
   * @param {{signal?: AbortSignal}} [options] @returns {Scan} */
  scan({ deviceId, ...settings }, { signal } = {}) {
    return new Scan(this.#connection, { type: "device.scan", device_id: deviceId, settings }, signal);
  }

  /** Come back to a scan that still runs. @param {Job} job @param {{signal?: AbortSignal}} [options] */
  follow(job, { signal } = {}) {
    return new Scan(this.#connection, { type: "device.follow", job_id: job.job_id }, signal, job);
  }

  /** The scans of this session, newest last. @returns {Promise<Job[]>} */
  async jobs() {
    return (await this.call({ type: "device.list_jobs" })).jobs.map(readJob);
  }

  /** @returns {Promise<Page[]>} */
  pages() {
    return listPages((message) => this.call(message));
  }

  /** Put pages, in the order given, at `position` (0-based). @param {(Page|string)[]} pages @param {number} position */
  move(pages, position) {
    return this.#edit("move", { page_ids: pages.map(idOf), position });
  }

  /** Delete pages for good. @param {(Page|string)[]} pages */
  remove(pages) {
    return this.#edit("remove", { page_ids: pages.map(idOf) });
  }

  /** Turn pages clockwise by 90, 180 or 270; -90 is 270. @param {(Page|string)[]} pages @param {number} degrees */
  rotate(pages, degrees) {
    return this.#edit("rotate", { page_ids: pages.map(idOf), degrees: ((degrees % 360) + 360) % 360 });
  }

  /** Make one PDF of the pages given, or of all.
   * @param {{pages?: (Page|string)[], compression?: "jpeg"|"lossless", quality?: number, title?: string,
   *   filename?: string, onprogress?: (done: {pages: number, total: number}) => void, signal?: AbortSignal}} [options]
   * @returns {Promise<{url: string, size: number, pages: number, blob: () => Promise<Blob>}>} */
  async pdf({ pages = [], filename = "scan.pdf", onprogress, signal, ...how } = {}) {
    const request = { type: "pdf.create", page_ids: pages.map(idOf), ...how };
    const { document, pages: count } = await this.call(request, { onPart: onprogress, signal });
    const url = this.#url(`documents/${encodeURIComponent(document.name)}`, { filename });
    return { url, size: document.size, pages: count, blob: async () => (await download(url)).blob() };
  }

  /** Where a page's picture is, as it is seen; turning a page changes it.
   * @param {Page} page @param {{widthPx?: number, type?: "image/jpeg"|"image/png"}} [options] */
  imageUrl(page, { widthPx = 0, type = "" } = {}) {
    const query = { ...(widthPx && { width_px: widthPx }), ...(type && { type }) };
    const turned = page.rotation_degrees ? { v: page.rotation_degrees } : {};
    return this.#url(`pages/${encodeURIComponent(page.page_id)}/image`, { ...query, ...turned });
  }

  /** Hear of changes; they are hints, ask for the state after one. Returns a function that ends it.
   * @param {"pages"|"devices"|"services"|"connection"} name @param {(detail: any) => void} handler */
  on(name, handler) {
    const listener = (event) => handler(event.detail);
    this.#connection.addEventListener(name, listener);
    return () => this.#connection.removeEventListener(name, listener);
  }

  /** Leave; with `erase`, the session's pages are destroyed as well. @param {{erase?: boolean}} [options] */
  async close({ erase = false } = {}) {
    if (erase) await this.call({ type: "session.close" });
    this.#connection.close();
  }

  async #edit(what, fields = {}) {
    await this.call({ type: `buffer.${what}`, ...fields });
    return this.pages();
  }

  #url(path, query) {
    const url = new URL(`/v1/sessions/${this.#connection.session.session_id}/${path}`, this.#connection.url);
    url.search = new URLSearchParams(query).toString();
    return url.href;
  }
}

const idOf = (page) => (typeof page === "string" ? page : page.page_id);

function defaultUrl() {
  const { origin, pathname } = new URL(import.meta.url);
  return pathname === "/web/scanbus.js" ? origin : "http://127.0.0.1:18622";
}

async function download(url) {
  const response = await fetch(url);
  if (!response.ok) throw new ScanbusError("not_found", "The file is no longer there. Make it again.");
  return response;
}
