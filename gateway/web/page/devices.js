import { byId, element } from "./element.js";
import { announce } from "./notices.js";
import { recall, remember } from "./memory.js";

const REFRESH_MS = 5000;
const ADVICE = "Switch the scanner on and connect it by cable or network. It appears here by itself.";

/** The list of scanners, as they come and go; the one that was used last is chosen again. */
export class DevicePicker extends EventTarget {
  /** @type {import("../scanbus.js").Device|null} */
  chosen = null;
  #scanner = null;
  #select = byId("device");
  #state = byId("device-state");
  #devices = [];
  #listed = "";
  #asking = false;
  #complete = false;

  constructor() {
    super();
    this.#select.addEventListener("change", () => {
      this.#choose(this.#devices[this.#select.selectedIndex]);
      remember("device", this.chosen.device_id);
    });
    setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
  }

  attach(scanner) {
    this.#scanner = scanner;
    scanner.on("devices", () => this.refresh());
  }

  /** Show what is known at once, and again when every driver has answered. */
  async refresh() {
    if (this.#asking || this.#scanner?.state !== "open") return;
    this.#asking = true;
    try {
      const known = await this.#ask(false);
      this.#show(known);
      if (known.searching.length) this.#show(await this.#ask(true));
    } catch (error) {
      this.#state.textContent = error.message;
    } finally {
      this.#asking = false;
    }
  }

  /** Whether every driver has answered and none has a scanner. */
  get none() {
    return this.#complete && !this.#devices.length;
  }

  async #ask(wait) {
    return { searching: [], faults: {}, ...(await this.#scanner.call({ type: "device.list_devices", wait })) };
  }

  #show({ devices, searching, faults }) {
    const gone = this.chosen && !devices.some(({ device_id }) => device_id === this.chosen.device_id);
    this.#devices = gone ? [...devices, this.chosen] : devices;
    const texts = this.#devices.map(({ name }, index) => (gone && index === devices.length ? `${name} (gone)` : name));
    const searchingNow = searching.length > 0 && !this.#complete;
    this.#complete ||= !searchingNow;
    this.#state.textContent = this.#words(devices, searchingNow, faults);
    this.#select.setAttribute("aria-busy", String(searchingNow));
    const wanted = this.chosen?.device_id ?? recall("device");
    const last = this.#devices.find(({ device_id }) => device_id === wanted);
    const next = last ?? (searchingNow && wanted ? null : this.#devices[0]) ?? null;
    const listed = JSON.stringify([this.#devices, texts, next?.device_id, searchingNow]);
    if (listed === this.#listed) return;
    if (this.#listed && devices.length !== this.#select.options.length) announce(`${devices.length} scanners`);
    this.#listed = listed;
    this.dispatchEvent(new Event("listed"));
    const options = texts.map((name) => element("option", {}, name));
    const placeholder = searchingNow ? "Searching…" : "No scanner";
    if (!next) options.push(element("option", { disabled: true }, placeholder));
    this.#select.replaceChildren(...options);
    this.#select.disabled = !this.#devices.length;
    this.#select.selectedIndex = next ? this.#devices.indexOf(next) : options.length - 1;
    this.#choose(next);
  }

  #words(devices, searching, faults) {
    if (searching) return "Searching for scanners…";
    if (devices.length) return "";
    const why = Object.values(faults).join(" ");
    return `${why} ${ADVICE}`.trim();
  }

  #choose(device) {
    const changed = this.chosen?.device_id !== device?.device_id;
    this.chosen = device;
    if (changed) this.dispatchEvent(new Event("change"));
  }
}
