/** Asks a person one question in a dialog. */

import { byId } from "./element.js";

byId("ask-no").addEventListener("click", () => byId("ask").close());

/**
 * @param {{title: string, text?: string, value?: string, action: string}} question with `value`, for a text
 * @returns {Promise<string|null>} the text, "" where none was asked for, or null when the person would rather not
 */
export function ask({ title, text = "", value, action }) {
  const dialog = byId("ask");
  const input = byId("ask-text");
  byId("ask-title").textContent = title;
  byId("ask-words").textContent = text;
  byId("ask-words").hidden = !text;
  input.parentElement.hidden = value === undefined;
  input.value = value ?? "";
  byId("ask-yes").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  if (value !== undefined) input.select();
  return new Promise((resolve) => {
    const closed = () => resolve(dialog.returnValue === "yes" ? input.value.trim() : null);
    dialog.addEventListener("close", closed, { once: true });
  });
}
