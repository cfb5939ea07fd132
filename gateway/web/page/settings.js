import { byId, element } from "./element.js";
import { labeled, number, segmented, selected, slider } from "./fields.js";
import { optionsSection } from "./options.js";
import { recall, remember } from "./memory.js";

const SOURCES = { flatbed: "Glass", feeder: "Feeder", duplex: "Both sides" };
const COLORS = { color: "Color", gray: "Gray", mono: "Black/white" };
const SIZES_MM = {
  a3: "A3 (297 × 420 mm)",
  a4: "A4 (210 × 297 mm)",
  a5: "A5 (148 × 210 mm)",
  a6: "A6 (105 × 148 mm)",
  b5: "B5 (176 × 250 mm)",
  letter: "Letter (216 × 279 mm)",
  legal: "Legal (216 × 356 mm)",
  card: "Card (86 × 54 mm)",
};
const OTHER = -1;
const HINT = "Choose “Custom area…” as page size to scan a part.";
const EDGES = [
  ["left_mm", "Left", "width_mm"],
  ["top_mm", "Top", "height_mm"],
  ["width_mm", "Width", "width_mm"],
  ["height_mm", "Height", "height_mm"],
];

/** The form that one device's capabilities make: nothing is offered that it cannot do. */
export class Settings {
  #form = byId("settings");
  #fields = byId("fields");
  #dependent = element("div", { className: "fields" });
  #device = "";
  #capabilities = null;
  #chosen = {};
  #customDpi = false;

  /** @param {string} deviceId @param {any} capabilities */
  show(deviceId, capabilities) {
    this.#device = deviceId;
    this.#capabilities = capabilities;
    this.#chosen = { brightness: 0, contrast: 0, pages: 0, options: {}, ...recall(`settings ${deviceId}`) };
    const known = new Set(capabilities.options.map(({ name }) => name));
    const options = Object.entries(this.#chosen.options).filter(([name]) => known.has(name));
    this.#chosen.options = Object.fromEntries(options);
    const { sources } = capabilities;
    if (!sources.some(({ source }) => source === this.#chosen.source)) this.#chosen.source = sources[0].source;
    const choices = sources.map(({ source }) => [source, SOURCES[source]]);
    const choose = (source) => {
      this.#change({ source });
      this.#renderDependent();
    };
    this.#fields.replaceChildren(segmented("Source", "source", choices, this.#chosen.source, choose), this.#dependent);
    this.#renderDependent();
  }

  clear() {
    this.#capabilities = null;
    this.#fields.replaceChildren();
  }

  get ready() {
    return this.#capabilities !== null;
  }

  /** The settings as the protocol names them, or null where a field has to be corrected first. */
  read() {
    if (!this.#capabilities) return null;
    for (const field of this.#form.querySelectorAll(":invalid")) field.closest("details")?.setAttribute("open", "");
    if (!this.#form.reportValidity()) return null;
    const { source, color, resolution_dpi, size, area, brightness, contrast, pages, options } = this.#chosen;
    const settings = { source, color, resolution_dpi };
    if (size === "custom") settings.area = area;
    else if (size) settings.page_size = size;
    if (this.#capabilities.brightness && brightness) settings.brightness = brightness;
    if (this.#capabilities.contrast && contrast) settings.contrast = contrast;
    if (pages && source !== "flatbed") settings.pages = pages;
    if (Object.keys(options).length) settings.options = options;
    return settings;
  }

  #change(values) {
    Object.assign(this.#chosen, values);
    remember(`settings ${this.#device}`, this.#chosen);
  }

  #renderDependent() {
    const { default_color, default_resolution_dpi, sources } = this.#capabilities;
    const source = sources.find((each) => each.source === this.#chosen.source);
    const { colors, page_sizes: sizes } = source;
    const color = colors.includes(default_color) ? default_color : colors[0];
    if (!colors.includes(this.#chosen.color)) this.#chosen.color = color;
    if (!this.#possible(source, this.#chosen.resolution_dpi)) {
      const { resolutions_dpi: listed } = source;
      const possible = this.#possible(source, default_resolution_dpi);
      this.#chosen.resolution_dpi = possible ? default_resolution_dpi : listed[0];
    }
    if (this.#chosen.size !== "custom" && !sizes.includes(this.#chosen.size)) this.#chosen.size = "";
    const colorChoices = colors.map((each) => [each, COLORS[each]]);
    const keep = (chosen) => this.#change({ color: chosen });
    const colorField = segmented("Color", "color", colorChoices, this.#chosen.color, keep);
    const more = this.#moreSection(source);
    this.#dependent.replaceChildren(colorField, this.#resolution(source), this.#size(source, more), more);
    const { options } = this.#capabilities;
    if (options.length) this.#dependent.append(optionsSection(options, this.#chosen.options, () => this.#change({})));
  }

  #possible({ resolutions_dpi: listed, resolution_range_dpi: range }, dpi) {
    return listed.includes(dpi) || Boolean(range && dpi >= range.minimum && dpi <= range.maximum);
  }

  #resolution({ resolutions_dpi: listed, resolution_range_dpi: range }) {
    const dpi = this.#chosen.resolution_dpi;
    const keep = (value) => this.#change({ resolution_dpi: value });
    const choices = listed.map((each) => [each, `${each} dpi`]);
    if (!range) return labeled("Resolution", selected(choices, dpi, keep));
    const other = number(dpi, range, keep, { required: true, "aria-label": "Resolution in dpi" });
    const custom = this.#customDpi || !listed.includes(dpi);
    other.hidden = other.disabled = !custom;
    const select = selected([...choices, [OTHER, "Other…"]], custom ? OTHER : dpi, (value) => {
      this.#customDpi = value === OTHER;
      other.hidden = other.disabled = !this.#customDpi;
      if (this.#customDpi) other.select();
      else keep(value);
    });
    return element("div", { className: "pair" }, labeled("Resolution", select), other);
  }

  #size({ width_mm, height_mm, page_sizes }, more) {
    const whole = `Everything (${Math.round(width_mm)} × ${Math.round(height_mm)} mm)`;
    const choices = [["", whole], ...page_sizes.map((size) => [size, SIZES_MM[size]]), ["custom", "Custom area…"]];
    return labeled("Page size", selected(choices, this.#chosen.size, (size) => {
      this.#change({ size });
      const area = more.querySelector("#area");
      area.disabled = area.hidden = size !== "custom";
      if (size === "custom") more.open = true;
    }));
  }

  #moreSection(source) {
    const { brightness, contrast } = this.#capabilities;
    const inner = element("div", { className: "inner" }, this.#area(source));
    if (source.source !== "flatbed") {
      const keep = (pages) => this.#change({ pages });
      const properties = { placeholder: "All in the feeder" };
      const limit = number(this.#chosen.pages || null, { minimum: 1, maximum: 10000, step: 1 }, keep, properties);
      limit.addEventListener("input", () => limit.value === "" && keep(0));
      inner.append(labeled("Stop after pages", limit));
    }
    const adjust = { brightness: brightness && "Brightness", contrast: contrast && "Contrast" };
    for (const [name, text] of Object.entries(adjust)) {
      if (text) inner.append(slider(text, this.#chosen[name], (value) => this.#change({ [name]: value })));
    }
    if (inner.children.length === 1) inner.append(element("p", { className: "quiet" }, HINT));
    const more = element("details", { id: "more" }, element("summary", {}, "More"), inner);
    more.open = this.#chosen.size === "custom";
    return more;
  }

  #area(source) {
    const { width_mm, height_mm } = source;
    const area = { left_mm: 0, top_mm: 0, width_mm, height_mm, ...this.#chosen.area };
    this.#chosen.area = area;
    const group = element("fieldset", { id: "area", className: "area" }, element("legend", {}, "Area in mm"));
    for (const [name, text, extent] of EDGES) {
      const range = { minimum: name === extent ? 1 : 0, maximum: source[extent] };
      area[name] = Math.min(area[name], range.maximum);
      const keep = (value) => this.#change({ area: { ...this.#chosen.area, [name]: value } });
      group.append(labeled(text, number(area[name], range, keep, { required: true })));
    }
    group.disabled = group.hidden = this.#chosen.size !== "custom";
    return group;
  }
}
