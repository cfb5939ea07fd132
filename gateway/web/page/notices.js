/** Tells a person what happened: in words above the pages, and to a screen reader. */

import { byId, element, icon } from "./element.js";

/** Say something to a screen reader only. @param {string} text */
export function announce(text) {
  byId("announcer").replaceChildren(text);
}

/**
 * Show a notice; another one about the same matter replaces it.
 *
 * @param {string} matter such as "scan"
 * @param {{kind: "bad"|"good"|"plain", text: string, more?: string, actions?: [string, () => void][],
 *   pictures?: [string, string][], lasting?: boolean}} what `actions` are buttons, the first is what most people want;
 *   `pictures` are addresses and what is below them; who cannot dismiss it has to press one of the buttons
 */
export function notify(matter, { kind, text, more = "", actions = [], pictures = [], lasting = false }) {
  const shown = byId(`notice-${matter}`);
  const end = text.indexOf(". ") + 1 || text.length;
  const words = element("p", {}, element("strong", {}, text.slice(0, end)), `${text.slice(end)} ${more}`);
  const sameWords = shown?.querySelector("p").textContent === words.textContent;
  const samePictures = shown?.querySelectorAll("figure").length === pictures.length;
  if (sameWords && samePictures && (lasting || !actions.length)) return;
  dismiss(matter);
  const role = kind === "bad" ? "alert" : "status";
  const notice = element("div", { id: `notice-${matter}`, className: `notice ${kind}`, role }, words);
  if (pictures.length) notice.append(element("div", { className: "pictures" }, ...pictures.map(picture)));
  const buttons = actions.map(([name, run], index) => {
    const button = element("button", { type: "button", className: lasting && !index ? "primary" : "" }, name);
    button.addEventListener("click", () => {
      dismiss(matter);
      run();
    });
    return button;
  });
  if (buttons.length) notice.append(element("div", { className: "buttons" }, ...buttons));
  const close = element("button", { className: "icon", type: "button", "aria-label": "Dismiss" }, icon("close"));
  close.addEventListener("click", () => dismiss(matter));
  if (!lasting) notice.append(close);
  byId("notices").append(notice);
  notice.scrollIntoView({ block: "nearest" });
}

const picture = ([src, below]) => {
  return element("figure", {}, element("img", { src, alt: "" }), element("figcaption", { className: "quiet" }, below));
};

/** @param {string} matter */
export function dismiss(matter) {
  byId(`notice-${matter}`)?.remove();
}
