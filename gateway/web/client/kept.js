/**
 * Documents that are kept under a name until they are removed: they outlive sessions.
 *
 * They belong to the site that made them. Each may have a password; `wrong_password` says that it was not that one.
 */
export class Kept {
  #call;

  constructor(call) {
    this.#call = (what, fields, options) => call({ type: `kept.${what}`, ...fields }, options);
  }

  /** @returns {Promise<{name: string, protected: boolean, damaged: boolean}[]>} */
  async list() {
    const documents = [];
    for (;;) {
      const answer = await this.#call("list_kept", { start: documents.length });
      documents.push(...answer.documents.map((each) => ({ protected: false, damaged: false, ...each })));
      if (!answer.documents.length || documents.length >= answer.total) return documents;
    }
  }

  /** @param {string} name */
  async exists(name) {
    return (await this.#call("exists", { name })).exists;
  }

  /** @param {string} name @param {{password?: string, metadata?: Record<string, string>}} [options] */
  async create(name, { password = "", metadata = {} } = {}) {
    return (await this.#call("create", { name, password, metadata })).name;
  }

  /** Put copies of pages into a document: those given, or all of one of the session's documents.
   * @param {string} name @param {{password?: string, pages?: ({page_id: string}|string)[], documentId?: string,
   *   replace?: boolean, onprogress?: (done: {pages: number, total: number}) => void}} [options] */
  async save(name, { password = "", pages = [], documentId = "", replace = false, onprogress } = {}) {
    const page_ids = pages.map((page) => (typeof page === "string" ? page : page.page_id));
    const fields = { name, password, page_ids, document_id: documentId, replace };
    return (await this.#call("save", fields, { onPart: onprogress })).pages;
  }

  /** Append copies of its pages to the session. @param {string} name
   * @param {{password?: string, documentId?: string, onprogress?: (done: {pages: number, total: number}) => void}} [options]
   * @returns {Promise<{pageIds: string[], metadata: Record<string, string>, damaged: string[]}>} */
  async load(name, { password = "", documentId = "", onprogress } = {}) {
    const fields = { name, password, document_id: documentId };
    const { page_ids, metadata, damaged = [] } = await this.#call("load", fields, { onPart: onprogress });
    return { pageIds: page_ids, metadata, damaged };
  }

  /** @param {string} name @param {{password?: string}} [options] */
  async metadata(name, { password = "" } = {}) {
    return (await this.#call("get_metadata", { name, password })).metadata;
  }

  /** @param {string} name @param {Record<string, string>} metadata @param {{password?: string}} [options] */
  async setMetadata(name, metadata, { password = "" } = {}) {
    await this.#call("set_metadata", { name, metadata, password });
  }

  /** @param {string} name @param {{password?: string}} [options] */
  async remove(name, { password = "" } = {}) {
    await this.#call("remove", { name, password });
  }
}
