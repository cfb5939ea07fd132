import { ScanbusError } from "./errors.js";

/** @typedef {"connecting"|"open"|"reconnecting"|"closed"} ConnectionState */

const LONGEST_PAUSE_MS = 8000;
const PERMISSIONS = ["loopback-network", "local-network-access"];
const ABSENT = "Scanbus is not running on this computer. Start it, then try again.";
const REFUSED = "Scanbus does not accept this site. Open the page from the service itself.";
const PERMISSION =
  "The browser keeps this site from reaching devices on this computer. Allow it in the site's settings, then reload.";
const NO_SESSION = "Scanbus answers, but does not open a session. Try again in a moment.";
const TOPICS = {
  "buffer.changed": "pages",
  "device.device_found": "devices",
  "device.device_lost": "devices",
  "bus.service_changed": "services",
  "cache.disk_full": "room",
  "cache.room_again": "room",
};

/** The letters to and from the service; comes back by itself when the line is cut. */
export class Connection extends EventTarget {
  session = null;
  /** @type {ConnectionState} */
  state = "connecting";
  #socket = null;
  #calls = new Map();
  #last = 0;

  constructor(url, token) {
    super();
    this.url = url;
    this.token = token;
  }

  /** Begin or resume the session; without a token, `sessionId` says which one. */
  async open(sessionId = "") {
    await probe(this.url);
    this.#socket = await openSocket(this.url);
    this.#socket.onmessage = ({ data }) => this.#read(JSON.parse(data));
    this.#socket.onclose = () => this.#lost();
    try {
      this.session = await this.#ask({ type: "session.open", token: this.token, session_id: sessionId });
    } catch (error) {
      this.#socket.onclose = null;
      this.#socket.close();
      if (!this.token || !["denied", "not_found"].includes(error.code)) throw error;
      this.token = "";
      return this.open();
    }
    this.token = this.session.token;
    this.#become("open");
    if (this.state === "closed") this.#socket.close();
  }

  async call(message, options) {
    if (this.state !== "open") throw lost("unavailable", "Scanbus is not connected. Wait until it is, then try again.");
    return this.#ask(message, options);
  }

  /** Resolves when letters can be sent again. */
  async reopened() {
    while (this.state !== "open") {
      if (this.state === "closed") throw new ScanbusError("closed", "The connection was closed by this page.");
      await new Promise((resolve) => this.addEventListener("connection", resolve, { once: true }));
    }
  }

  close() {
    this.#become("closed");
    this.#socket.close();
  }

  #ask(message, { onPart = () => {}, signal } = {}) {
    const id = String((this.#last += 1));
    return new Promise((resolve, reject) => {
      const cancel = () => this.#send({ kind: "cancel", re: id });
      this.#calls.set(id, { resolve, reject, onPart, done: () => signal?.removeEventListener("abort", cancel) });
      this.#send({ id, kind: "request", body: message });
      if (signal?.aborted) cancel();
      else signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  #send(letter) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(letter));
  }

  #read({ kind, re, body }) {
    if (kind === "event") return this.tell(body);
    const call = this.#calls.get(re);
    if (!call) return;
    if (kind === "part") return call.onPart(body);
    this.#calls.delete(re);
    call.done();
    if (body.type === "bus.failure") call.reject(new ScanbusError(body.code, body.text, body.data));
    else call.resolve(body);
  }

  /** Pass on what changed. */
  tell(body) {
    const topic = TOPICS[body.type];
    if (topic) this.dispatchEvent(new CustomEvent(topic, { detail: body }));
  }

  #become(state) {
    if (this.state === state || this.state === "closed") return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("connection", { detail: state }));
  }

  async #lost() {
    const opening = this.state !== "open";
    if (!opening) this.#become("reconnecting");
    for (const { reject, done } of this.#calls.values()) {
      done();
      reject(lost("lost", "The connection to Scanbus was lost. Try again in a moment."));
    }
    this.#calls.clear();
    if (opening) return;
    for (let pauseMs = 250; this.state === "reconnecting"; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      await this.open().catch(() => {});
    }
  }
}

/** An error after which a scan can be followed again. */
const lost = (code, text) => new ScanbusError(code, text, { connection: "lost" });

/** Ask with `fetch` first: a browser shows its permission prompt for that, and only that tells what is wrong. */
async function probe(url) {
  const health = new URL("/healthz", url);
  const refused = new ScanbusError("denied", REFUSED);
  let response;
  try {
    response = await fetch(health, { cache: "no-store" });
  } catch {
    if (await forbidden()) throw new ScanbusError("permission", PERMISSION);
    const there = await fetch(health, { mode: "no-cors", cache: "no-store" }).catch(() => null);
    throw there ? refused : new ScanbusError("unavailable", ABSENT);
  }
  if ([401, 403, 421].includes(response.status)) throw refused;
}

/** Whether a person, or a policy, has told the browser to keep this site from this computer. */
async function forbidden() {
  const asked = PERMISSIONS.map((name) => navigator.permissions?.query({ name }).catch(() => null));
  return (await Promise.all(asked)).some((permission) => permission?.state === "denied");
}

async function openSocket(url) {
  const socket = new WebSocket(new URL("/v1/socket", url.href.replace(/^http/, "ws")), "scanbus.v1");
  const opened = await new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onclose = () => resolve(false);
  });
  if (opened) return socket;
  if (await forbidden()) throw new ScanbusError("permission", PERMISSION);
  throw new ScanbusError("unavailable", NO_SESSION);
}
