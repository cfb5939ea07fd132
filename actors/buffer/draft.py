"""From new orders and new pages to what must be written and told: without it, each edit would work that out anew."""

from collections.abc import Iterable

from msgspec.structs import replace

from actors.buffer.model import Edit, Entry, Model
from actors.buffer.ranks import ranks
from actors.buffer.splices import shortened, splice
from schemas.buffer import Change, Document
from schemas.page import Page


class Draft:
    """A copy of what changes; the model stays as it is."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._orders: dict[str, list[str]] = {}
        self._pages: dict[str, Page] = {}
        self._homes: dict[str, str] = {}
        self._documents: dict[str, Document] = {}
        self._edit = Edit()

    def length(self, document_id: str) -> int:
        """How many pages a document will have."""
        return len(self._order(document_id))

    def take(self, page_ids: Iterable[str]) -> None:
        """Take pages out of their documents."""
        taken = dict.fromkeys(page_ids)
        for document_id in {self._model.entry(each).document_id for each in taken}:
            self._orders[document_id] = [each for each in self._order(document_id) if each not in taken]

    def insert(self, page_ids: list[str], document_id: str, position: int) -> None:
        """Put pages that are in no document into one."""
        self._order(document_id)[position:position] = page_ids
        self._homes |= dict.fromkeys(page_ids, document_id)

    def write(self, page: Page) -> None:
        """Change a page, or make it."""
        self._pages[page.page_id] = page

    def remove(self, page_ids: Iterable[str]) -> None:
        """Delete pages."""
        self.take(page_ids)
        removed = {each: self._model.entry(each).page for each in page_ids}
        self._edit.removed = removed
        self._edit.forgotten = [(page.job_id, page.number) for page in removed.values() if page.job_id]

    def write_document(self, document: Document) -> None:
        """Change a document's name, or make it."""
        self._documents[document.document_id] = document

    def remove_document(self, document_id: str) -> None:
        """Delete a document whose pages have been removed."""
        self._edit.gone.append(document_id)

    def set_default_tag(self, tag: str) -> None:
        """Have new pages tagged."""
        self._edit.default_tag = tag

    def finish(self) -> Edit:
        """All that changes."""
        touched: dict[str, list[str]] = {}
        for page_id in self._pages:
            if page_id in self._model.entries:
                touched.setdefault(self._model.entry(page_id).document_id, []).append(page_id)
        changes = []
        for document_id in dict.fromkeys((*self._orders, *self._documents, *touched)):
            if change := self._change(document_id, touched.get(document_id, [])):
                changes.append(change)
        self._edit.changes = shortened(changes)
        self._edit.heirs = self._heirs()
        return self._edit

    def _change(self, document_id: str, touched: list[str]) -> Change | None:
        before = self._model.documents.get(document_id)
        old = self._model.order(document_id) if before else []
        order = self._order(document_id)
        document = self._documents.get(document_id) or self._model.document(document_id)
        gone = document_id in self._edit.gone
        if order == old and document == before and not touched and not gone:
            return None
        document = replace(document, pages=len(order), revision=document.revision + 1)
        at, out, into = splice(old, order)
        if out or into:
            self._edit.orders[document_id] = order
            self._place(document_id, order, at, len(into))
        for page_id in touched:
            entry = self._model.entry(page_id)
            self._edit.written[page_id] = Entry(self._pages[page_id], document_id, entry.rank)
        if not gone:
            self._edit.documents[document_id] = document
        return Change(
            document_id=document_id,
            revision=document.revision,
            at=at,
            before=out,
            after=into,
            touched=touched,
            gone=gone,
        )

    def _place(self, document_id: str, order: list[str], at: int, count: int) -> None:
        entries = self._model.entries
        placed = {each for each in order[at : at + count] if self._homes.get(each) == document_id}
        for page_id, rank in ranks(order, at, count, lambda each: entries[each].rank, placed).items():
            new = self._pages.get(page_id)
            if new is not None:
                self._edit.written[page_id] = Entry(new, document_id, rank)
            else:
                self._edit.placed[page_id] = Entry(entries[page_id].page, document_id, rank)

    def _heirs(self) -> dict[str, str]:
        removed = self._edit.removed
        names = dict.fromkeys(page.image.blob.name for page in removed.values())
        return {name: heir for name in names if (heir := self._model.heir(name, removed))}

    def _order(self, document_id: str) -> list[str]:
        if document_id not in self._orders:
            known = document_id in self._model.documents
            self._orders[document_id] = list(self._model.order(document_id)) if known else []
        return self._orders[document_id]
