const CHUNK = 1000;

/** A page with every field that may be left out. */
export const readPage = (page) => ({ rotation_degrees: 0, tags: [], job_id: "", number: 0, ...page });

/**
 * All pages of a document, or those with a tag, as they were at one moment.
 *
 * @param {(message: any) => Promise<any>} call @param {object} which `document_id` and `tag`
 * @param {(from: number, to: number, count: number) => boolean} [harmless] whether the changes between two revisions
 *   left the first `count` pages alone; else a change in the middle begins the list anew
 */
export async function listPages(call, which, harmless = () => false) {
  for (let pages = [], known = null; ; ) {
    const answer = await call({ type: "buffer.list_pages", ...which, start: pages.length, count: CHUNK });
    if (known && answer.revision !== known.revision && !harmless(known.revision, answer.revision, pages.length)) {
      [pages, known] = [[], null];
      continue;
    }
    known = answer;
    pages.push(...answer.pages.map(readPage));
    if (!answer.pages.length || pages.length >= answer.total) return { ...answer, pages };
  }
}

/**
 * The pages of one document, kept as they are by what was changed instead of by asking for all of them again.
 *
 * Its event `change` follows every change of its own. Nothing is known before the first `refresh`.
 */
export class DocumentPages extends EventTarget {
  /** Empty: the session's first document, until the service has said which that is. */
  documentId;
  /** In order. @type {string[]} */
  ids = [];
  /** Whether the document was removed. */
  gone = false;
  #connection;
  #pages = new Map();
  #revision = -1;
  #heard = [];
  /** Pages that are new, or not as they were. */
  #unread = new Set();
  #stale = false;
  #working = null;
  #listeners;

  constructor(connection, documentId) {
    super();
    this.documentId = documentId;
    this.#connection = connection;
    this.#listeners = {
      pages: ({ detail }) => this.take([detail.change]),
      connection: ({ detail }) => detail === "open" && this.refresh().catch(() => {}),
    };
    for (const [name, listener] of Object.entries(this.#listeners)) connection.addEventListener(name, listener);
  }

  /** @param {string} id @returns {import("../scanbus.js").Page|undefined} */
  get(id) {
    return this.#pages.get(id);
  }

  /** Hear no more of this document. */
  close() {
    for (const [name, listener] of Object.entries(this.#listeners)) this.#connection.removeEventListener(name, listener);
  }

  /** Ask for all pages. */
  refresh() {
    this.#stale = true;
    return this.#settle();
  }

  /** Carry out what was changed; what is known already is ignored, and whatever was missed is asked for. */
  take(changes) {
    this.#heard.push(...changes);
    this.#settle().catch(() => {});
  }

  #settle() {
    this.#working ??= this.#work().finally(() => (this.#working = null));
    return this.#working;
  }

  async #work() {
    while (this.#stale || this.#heard.length || this.#unread.size) {
      if (this.#stale) await this.#readAll();
      for (const change of this.#heard.splice(0)) this.#stale ||= !this.#splice(change);
      if (this.#unread.size && !this.#stale) await this.#readSome();
      if (this.#stale) continue;
      this.dispatchEvent(new Event("change"));
    }
  }

  /** False where a change does not follow what is known: one before it was missed. */
  #splice({ document_id, revision, at = 0, before = [], after = [], touched = [], whole = false, gone = false }) {
    if (document_id !== this.documentId || revision <= this.#revision) return true;
    if (gone) return this.#end();
    const fits = revision === this.#revision + 1 && before.every((id, index) => this.ids[at + index] === id);
    if (whole || !fits || at > this.ids.length) return false;
    this.ids = this.ids.toSpliced(at, before.length, ...after);
    this.#revision = revision;
    const stays = new Set(after);
    for (const id of before) if (!stays.has(id)) this.#forget(id);
    for (const id of after) if (!this.#pages.has(id)) this.#unread.add(id);
    for (const id of touched) if (this.#pages.has(id)) this.#unread.add(id);
    return true;
  }

  /** The document was removed. */
  #end() {
    this.close();
    this.ids = [];
    this.gone = true;
    return true;
  }

  #forget(id) {
    this.#pages.delete(id);
    this.#unread.delete(id);
  }

  async #readSome() {
    const request = { type: "buffer.list_pages", page_ids: [...this.#unread].slice(0, CHUNK) };
    try {
      const { pages } = await this.#connection.call(request);
      for (const page of pages) if (this.#unread.delete(page.page_id)) this.#pages.set(page.page_id, readPage(page));
    } catch (error) {
      if (error.code !== "not_found") throw error;
      this.#stale = true;
    }
  }

  async #readAll() {
    const call = (message) => this.#connection.call(message);
    const harmless = (from, to, count) => {
      const between = this.#heard.filter(({ revision }) => revision > from && revision <= to);
      return between.length === to - from && between.every(({ at = 0, whole }) => !whole && at >= count);
    };
    this.#stale = false;
    try {
      const { document_id, revision, pages } = await listPages(call, { document_id: this.documentId }, harmless);
      [this.documentId, this.#revision] = [document_id, revision];
      this.ids = pages.map(({ page_id }) => page_id);
      this.#pages = new Map(pages.map((page) => [page.page_id, page]));
      this.#unread.clear();
    } catch (error) {
      this.#heard = [];
      throw error;
    }
    this.dispatchEvent(new Event("change"));
  }
}
