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
 * @param {{kind: "bad"|"good"|"plain", text: string, more?: string, action?: [string, () => void]}} what
 */
export function notify(matter, { kind, text, more = "", action }) {
  const shown = byId(`notice-${matter}`)?.querySelector("p");
  const end = text.indexOf(". ") + 1 || text.length;
  const words = element("p", {}, element("strong", {}, text.slice(0, end)), `${text.slice(end)} ${more}`);
  if (shown?.textContent === words.textContent && !action) return;
  dismiss(matter);
  const role = kind === "bad" ? "alert" : "status";
  const close = element("button", { className: "icon", type: "button", "aria-label": "Dismiss" }, icon("close"));
  const notice = element("div", { id: `notice-${matter}`, className: `notice ${kind}`, role }, words);
  if (action) {
    const button = element("button", { type: "button" }, action[0]);
    button.addEventListener("click", () => {
      dismiss(matter);
      action[1]();
    });
    notice.append(button);
  }
  close.addEventListener("click", () => dismiss(matter));
  notice.append(close);
  byId("notices").append(notice);
  notice.scrollIntoView({ block: "nearest" });
}

/** @param {string} matter */
export function dismiss(matter) {
  byId(`notice-${matter}`)?.remove();
}
