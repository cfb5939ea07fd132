/** Every option of a device that has no field of its own, by its type. */

import { element } from "./element.js";
import { labeled, number, selected, text, toggle } from "./fields.js";

const LIST = "\\s*-?\\d+(\\.\\d+)?(\\s*[,;]?\\s+-?\\d+(\\.\\d+)?|\\s*[,;]\\s*-?\\d+(\\.\\d+)?)*\\s*";

/**
 * @param {any[]} options of the capabilities
 * @param {Record<string, any>} changed values that differ from the device's own; changed in place
 * @param {() => void} onchange
 */
export function optionFields(options, changed, onchange) {
  return options.map((option) => {
    const keep = (value) => {
      if (JSON.stringify(value) === JSON.stringify(option.value)) delete changed[option.name];
      else changed[option.name] = value;
      onchange();
    };
    const usable = option.active && option.settable;
    const control = controlOf(option, changed[option.name] ?? option.value, keep, { disabled: !usable });
    const unit = option.unit && option.unit !== "bit" ? ` (${option.unit === "percent" ? "%" : option.unit})` : "";
    const why = option.settable ? "Cannot be used with the other settings." : "Only the scanner itself changes this.";
    const described = [option.description, usable ? "" : why].filter(Boolean).join(" ");
    return labeled((option.title || option.name) + unit, control, described);
  });
}

function controlOf(option, value, keep, properties) {
  if (option.type === "bool" || option.type === "button") return toggle(value, keep, properties);
  const choices = option.choices.map((each) => [each, String(each)]);
  if (choices.length) return selected(choices, value, keep, properties);
  if (option.type === "int") return number(value, { step: 1, ...option.range }, keep, properties);
  if (option.type === "float") return number(value, option.range, keep, properties);
  if (option.type === "string") return text(value, keep, properties);
  const listed = (words) => keep(words.split(/[\s,;]+/).filter(Boolean).map(Number));
  return text((value ?? []).join(", "), listed, { ...properties, pattern: LIST, title: `${option.length} numbers` });
}

/** The fields under their heading. */
export function optionsSection(options, changed, onchange) {
  const section = element("details", {}, element("summary", {}, "More options"));
  const fill = () => {
    const reset = element("button", { type: "button" }, "Reset to the scanner's own");
    reset.addEventListener("click", () => {
      for (const name of Object.keys(changed)) delete changed[name];
      section.lastChild.replaceWith(fill());
      onchange();
    });
    return element("div", { className: "inner" }, ...optionFields(options, changed, onchange), reset);
  };
  section.append(fill());
  return section;
}
