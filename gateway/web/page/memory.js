/** What this browser remembers between visits; a browser that forbids it only forgets. */

/** @param {string} name @returns {any} */
export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(`scanbus ${name}`) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} name @param {any} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`scanbus ${name}`, JSON.stringify(value));
  } catch {
    return;
  }
}
