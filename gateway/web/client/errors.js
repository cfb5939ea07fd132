/** What went wrong. The codes are those of the service; `permission` and `closed` exist only here. */
export class ScanbusError extends Error {
  /** @param {string} code @param {string} text for a person @param {Record<string, string>} [data] */
  constructor(code, text, data = {}) {
    super(text);
    this.name = "ScanbusError";
    this.code = code;
    this.text = text;
    this.data = data;
  }
}
