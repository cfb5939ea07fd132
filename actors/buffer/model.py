"""What a session's documents and pages are: without it, each question about them would be one to the disk."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable

from msgspec import Struct, field

from schemas.buffer import FIRST, Append, Change, Document, ListPages
from schemas.errors import NotFound
from schemas.page import Page


class Entry(Struct, frozen=True):
    """A page and where it is: in which document, and by which rank among its pages."""

    page: Page
    document_id: str
    rank: int


class Edit(Struct):
    """All that a request changes; nothing of it has happened until `Model.apply`."""

    documents: dict[str, Document] = field(default_factory=dict)
    """New, or not as before."""
    gone: list[str] = field(default_factory=list)
    """Documents."""
    orders: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, Entry] = field(default_factory=dict)
    """Pages that are new, or whose content changed."""
    placed: dict[str, Entry] = field(default_factory=dict)
    """Pages that only stand elsewhere."""
    removed: dict[str, Page] = field(default_factory=dict)
    heirs: dict[str, str] = field(default_factory=dict)
    """Images that removed pages showed and others still do: blob to one of these others."""
    forgotten: list[tuple[str, int]] = field(default_factory=list)
    """Job and number of scanned pages that were removed: they never come back by themselves."""
    default_tag: str | None = None
    changes: list[Change] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """Ids of what is new, in the order asked for."""

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.changes) or self.default_tag is not None


def page_id_of(job_id: str, number: int) -> str:
    """A scanned page's id: the same after a crash, whatever was lost."""
    return hashlib.sha256(f"{job_id}/{number}".encode()).hexdigest()[:32]


class Model:
    """The documents of one session. What asks it for an unknown page or document raises NotFound."""

    def __init__(self) -> None:
        self.documents = {FIRST: Document(document_id=FIRST)}
        self.default_tag = ""
        self.entries: dict[str, Entry] = {}
        self._orders: dict[str, list[str]] = {FIRST: []}
        self._shown: dict[str, list[str]] = {}
        self._last: Counter[str] = Counter()
        self._removed: dict[str, tuple[str, int]] = {}

    def document(self, document_id: str) -> Document:
        """A document; an empty id means the first one."""
        found = self.documents.get(document_id or FIRST)
        if found is None:
            raise NotFound("There is no such document in this session. Ask for the documents again.")
        return found

    def order(self, document_id: str) -> list[str]:
        """The ids of a document's pages; an empty id means the first one."""
        return self._orders[self.document(document_id).document_id]

    def entry(self, page_id: str) -> Entry:
        """One page."""
        if page_id not in self.entries:
            raise NotFound("There is no such page in this session.")
        return self.entries[page_id]

    def pages(self, page_ids: Iterable[str]) -> list[Page]:
        """These pages."""
        page_ids = list(page_ids)
        if missing := [each for each in page_ids if each not in self.entries]:
            raise NotFound(f"{len(missing)} of these pages are not in this session. Ask for the pages again.")
        return [self.entries[each].page for each in page_ids]

    def listed(self, msg: ListPages) -> list[Page]:
        """All pages that are asked for, in order, whichever part of them."""
        pages = self.pages(msg.page_ids or self.order(msg.document_id))
        return [page for page in pages if msg.tag in page.tags] if msg.tag else pages

    def heir(self, name: str, removed: Collection[str]) -> str:
        """A page that shows the blob of that name and is not removed; empty if there is none."""
        return next((each for each in self._shown.get(name, ()) if each not in removed), "")

    @property
    def images(self) -> Collection[str]:
        """The names of all blobs that pages show."""
        return self._shown.keys()

    def last_number(self, job_id: str) -> int:
        """The number of the last page of a job that there is or was; 0: none."""
        return self._last[job_id]

    def appended(self, msg: Append) -> Page | None:
        """The page of that job and number, where it was appended before; as it came, if it was removed since."""
        page_id = page_id_of(msg.job_id, msg.number)
        if page_id in self._removed:
            return Page(page_id=page_id, image=msg.image, job_id=msg.job_id, number=msg.number)
        return self.entries[page_id].page if page_id in self.entries else None

    def apply(self, edit: Edit) -> None:
        """It has happened."""
        for page_id, page in edit.removed.items():
            del self.entries[page_id]
            name = page.image.blob.name
            self._shown[name] = [each for each in self._shown[name] if each != page_id]
            if not self._shown[name]:
                del self._shown[name]
        for page_id, entry in edit.written.items():
            if page_id not in self.entries:
                self._shown.setdefault(entry.page.image.blob.name, []).append(page_id)
                self._last[entry.page.job_id] = max(self._last[entry.page.job_id], entry.page.number)
        for job_id, number in edit.forgotten:
            self._removed[page_id_of(job_id, number)] = (job_id, number)
            self._last[job_id] = max(self._last[job_id], number)
        self.entries |= edit.written | edit.placed
        self.documents |= edit.documents
        self._orders |= {each: [] for each in edit.documents.keys() - self._orders.keys()} | edit.orders
        for document_id in edit.gone:
            del self.documents[document_id], self._orders[document_id]
        self.default_tag = self.default_tag if edit.default_tag is None else edit.default_tag

    def whole(self) -> Edit:
        """What makes an empty model this one."""
        return Edit(
            documents=self.documents,
            orders=self._orders,
            written=self.entries,
            forgotten=list(self._removed.values()),
            default_tag=self.default_tag,
        )
