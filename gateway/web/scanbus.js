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
 * @typedef {{page_id: string, rotation_degrees: number, tags: string[], job_id: string, number: number,
 *   image: {width_px: number, height_px: number, resolution_dpi: number, color: "color"|"gray"|"mono",
 *   back?: boolean}}} Page
 * @typedef {{document_id: string, name: string, pages: number, revision: number}} Document
 * @typedef {{code: string, text: string, data?: Record<string, string>}} Fault
 * @typedef {{job_id: string, device_id: string, pages: number, gap: number, paused: Fault|null, fault?: Fault,
 *   document_id?: string, state: "pending"|"running"|"completed"|"faulted"|"canceled"}} Job
 * @typedef {{session_id: string, pages: number, begun_at: number, used_at: number, running: boolean,
 *   connected: boolean}} Stay times are seconds since 1970
 * @typedef {import("./client/pages.js").DocumentPages} DocumentPages
 * @typedef {import("./client/kept.js").Kept} Kept
 * @typedef {import("./client/scan.js").Scan} Scan
 * @typedef {import("./client/scan.js").Progress} Progress
 * @typedef {import("./client/connection.js").ConnectionState} ConnectionState
 */

import { Connection } from "./client/connection.js";
import { ScanbusError } from "./client/errors.js";
import { Kept } from "./client/kept.js";
import { DocumentPages, listPages } from "./client/pages.js";
import { isOpen, readJob, Scan } from "./client/scan.js";

export { isOpen, ScanbusError };

/**
 * Open a session, or come back to one: with its token, or with the id of one of `stays()`.
 *
 * @param {{url?: string, token?: string, sessionId?: string}} [where]
 * @returns {Promise<Scanner>}
 * @throws {ScanbusError} `unavailable`: nobody answers; `permission`: the browser forbids it; `denied`: not this site;
 *   `not_found`: this site has no session of that id
 */
export async function connect({ url = defaultUrl(), token = "", sessionId = "" } = {}) {
  const connection = new Connection(new URL(url), token);
  await connection.open(sessionId);
  return new Scanner(connection);
}

/** One session: its devices, scans and pages. */
class Scanner {
  #connection;
  /** Documents that outlive the session. @type {Kept} */
  kept;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.kept = new Kept((message, options) => this.call(message, options));
  }

  get sessionId() {
    return this.#connection.session.session_id;
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
   *
   * With `pauseS`, a jam does not end it: it waits so long for `resume` (see `onpause` of what is returned).
   * @param {{deviceId: string, [setting: string]: any}} request the settings are those of the protocol
   * @param {{signal?: AbortSignal, documentId?: string, after?: Page|string, pauseS?: number}} [options] where the
   *   pages go: into the first document, or another one; at its end, or after a page
   * @returns {Scan} */
  scan({ deviceId, ...settings }, { signal, documentId = "", after = "", pauseS = 0 } = {}) {
    const place = { document_id: documentId, after_page_id: idOf(after) };
    const request = { type: "device.scan", device_id: deviceId, settings, ...place, pause_s: pauseS };
    return new Scan(this.#connection, request, signal);
  }

  /** Come back to a scan that still runs or waits. @param {Job} job @param {{signal?: AbortSignal}} [options] */
  follow(job, { signal } = {}) {
    return new Scan(this.#connection, { type: "device.follow", job_id: job.job_id }, signal, job);
  }

  /** The scans of this session, newest last. @returns {Promise<Job[]>} */
  async jobs() {
    return (await this.call({ type: "device.list_jobs" })).jobs.map(readJob);
  }

  /** The pages of a document (else the first), or those that have a tag.
   * @param {{documentId?: string, tag?: string}} [which] @returns {Promise<Page[]>} */
  async pages({ documentId = "", tag = "" } = {}) {
    return (await listPages((message) => this.call(message), { document_id: documentId, tag })).pages;
  }

  /** The pages of a document, kept up to date from now on: for a list that a person sees.
   * @param {{documentId?: string}} [which] @returns {DocumentPages} */
  watch({ documentId = "" } = {}) {
    return new DocumentPages(this.#connection, documentId);
  }

  /** The session's documents, and the tag that new pages get.
   * @returns {Promise<{documents: Document[], defaultTag: string}>} */
  async documents() {
    const { documents, default_tag = "" } = await this.call({ type: "buffer.list_documents" });
    return { documents: documents.map(readDocument), defaultTag: default_tag };
  }

  /** @param {string} [name] @returns {Promise<Document>} */
  async createDocument(name = "") {
    return readDocument((await this.call({ type: "buffer.create_document", name })).document);
  }

  /** @param {string} documentId @param {string} name */
  renameDocument(documentId, name) {
    return this.#edit("rename_document", { document_id: documentId, name });
  }

  /** Delete a document with its pages; the first one only loses pages and name. @param {string} documentId */
  removeDocument(documentId) {
    return this.#edit("remove_document", { document_id: documentId });
  }

  /** Put pages, in the order given, at `position` (0-based) of their document, or of another one.
   * @param {(Page|string)[]} pages @param {number} position @param {{documentId?: string}} [where] */
  move(pages, position, { documentId = "" } = {}) {
    return this.#edit("move", { page_ids: pages.map(idOf), position, document_id: documentId });
  }

  /** The same with copies of them. @param {(Page|string)[]} pages @param {number} position
   * @param {{documentId?: string}} [where] @returns {Promise<string[]>} ids of the copies */
  async copy(pages, position, { documentId = "" } = {}) {
    const request = { type: "buffer.copy", page_ids: pages.map(idOf), position, document_id: documentId };
    return (await this.call(request)).page_ids;
  }

  /** Delete pages for good. @param {(Page|string)[]} pages */
  remove(pages) {
    return this.#edit("remove", { page_ids: pages.map(idOf) });
  }

  /** Turn pages clockwise by 90, 180 or 270; -90 is 270. @param {(Page|string)[]} pages @param {number} degrees */
  rotate(pages, degrees) {
    return this.#edit("rotate", { page_ids: pages.map(idOf), degrees: ((degrees % 360) + 360) % 360 });
  }

  /** Put tags on pages, and take tags from them.
   * @param {(Page|string)[]} pages @param {{add?: string[], remove?: string[]}} tags */
  tag(pages, { add = [], remove = [] }) {
    return this.#edit("tag", { page_ids: pages.map(idOf), add, remove });
  }

  /** Put a tag on every page that comes from now on; "" puts none. @param {string} tag */
  async setDefaultTag(tag) {
    await this.call({ type: "buffer.set_default_tag", tag });
  }

  /** This site's sessions, this one too, last used first: for `connect`. @returns {Promise<Stay[]>} */
  async stays() {
    const { stays } = await this.call({ type: "session.list_stays" });
    return stays.map((stay) => ({ running: false, connected: false, ...stay }));
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
   * @param {"pages"|"devices"|"services"|"room"|"connection"} name @param {(detail: any) => void} handler */
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

  async #edit(what, fields) {
    const { changes } = await this.call({ type: `buffer.${what}`, ...fields });
    for (const change of changes) this.#connection.tell({ type: "buffer.changed", change });
  }

  #url(path, query) {
    const url = new URL(`/v1/sessions/${this.sessionId}/${path}`, this.#connection.url);
    url.search = new URLSearchParams(query).toString();
    return url.href;
  }
}

const readDocument = (document) => ({ name: "", pages: 0, revision: 0, ...document });
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
