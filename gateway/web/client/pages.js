export const readPage = (page) => ({ rotation_degrees: 0, tags: [], ...page });

/** All pages of the session's first document: they come in parts. @param {(message: object) => Promise<any>} call */
export async function listPages(call) {
  const pages = [];
  for (;;) {
    const part = await call({ type: "buffer.list_pages", start: pages.length });
    pages.push(...part.pages.map(readPage));
    if (!part.pages.length || pages.length >= part.total) return pages;
  }
}
