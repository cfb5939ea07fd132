/** The kinds of form fields: a name, a value, and a call when a person changes it. */

import { element } from "./element.js";

/** @param {string} text @param {HTMLElement} control @param {string} [description] */
export function labeled(text, control, description = "") {
  const label = element("label", { className: control.type === "checkbox" ? "toggle" : "field" });
  if (description) label.title = description;
  label.append(...(control.type === "checkbox" ? [control, text] : [text, control]));
  return label;
}

/** A few choices side by side. @param {[string, string][]} choices value and text */
export function segmented(legend, name, choices, value, onchange) {
  const group = element("fieldset", { className: "choice" }, element("legend", {}, legend));
  for (const [choice, text] of choices) {
    const radio = element("input", { type: "radio", name, value: choice, checked: choice === value });
    radio.addEventListener("change", () => onchange(choice));
    group.append(element("label", {}, radio, element("span", {}, text)));
  }
  return group;
}

/** @param {[any, string][]} choices */
export function selected(choices, value, onchange, properties = {}) {
  const select = element("select", properties);
  for (const [choice, text] of choices) select.append(element("option", { selected: choice === value }, text));
  select.addEventListener("change", () => onchange(choices[select.selectedIndex][0]));
  return select;
}

/** @param {{minimum: number, maximum: number, step?: number}|null} range */
export function number(value, range, onchange, properties = {}) {
  const limits = range ? { min: range.minimum, max: range.maximum } : {};
  const input = element("input", { type: "number", step: range?.step || "any", ...limits, ...properties });
  input.value = value ?? "";
  input.addEventListener("input", () => input.value !== "" && input.validity.valid && onchange(input.valueAsNumber));
  return input;
}

/** -100 to 100 with its value beside it. */
export function slider(text, value, onchange) {
  const shown = element("output", {}, String(value));
  const input = element("input", { type: "range", min: -100, max: 100, step: 5, value });
  input.addEventListener("input", () => {
    shown.textContent = input.value;
    onchange(input.valueAsNumber);
  });
  return element("label", { className: "field" }, element("span", {}, `${text} `, shown), input);
}

export function toggle(value, onchange, properties = {}) {
  const input = element("input", { type: "checkbox", checked: Boolean(value), ...properties });
  input.addEventListener("change", () => onchange(input.checked));
  return input;
}

export function text(value, onchange, properties = {}) {
  const input = element("input", { type: "text", value: value ?? "", ...properties });
  input.addEventListener("input", () => input.validity.valid && onchange(input.value));
  return input;
}
