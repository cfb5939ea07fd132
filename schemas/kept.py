"""Documents that outlive sessions: kept under a name, with a password if wanted, until their owner removes them.

A kept document belongs to the origin that made it; to any other there is none of that name. A wrong password is
`wrong_password`, and after several of them `busy` for a while. A document that is being changed or loaded is
`conflict` to whoever wants to change it.
"""

from typing import Annotated, ClassVar, Never

from msgspec import Meta, Struct

from schemas.message import Message, Private, Request
from schemas.page import Page

PAGES_LIMIT = 10_000
"""Pages that one kept document may have."""

Name = Annotated[Private, Meta(min_length=1, max_length=200)]
"""What a document is called: any text, unique within its origin."""
Password = Annotated[Private, Meta(max_length=1000)]
"""Empty: none."""
PageIds = Annotated[list[str], Meta(max_length=PAGES_LIMIT)]
Metadata = Annotated[dict[str, Annotated[Private, Meta(max_length=20_000)]], Meta(max_length=100)]
"""What a page wants to know of its document later: texts by name; anything else goes into one as JSON."""


class KeptDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a document without its password."""

    name: Private
    changed_at: float
    """Unix time, in seconds."""
    protected: bool = False
    """Whether it needs a password."""


class Created(Message, tag="kept.created"):
    """There is an empty document of that name, and it is durable."""

    name: Private


class Create(Request[Created, Never], tag="kept.create"):
    """Begin a document; `conflict` if there is one of that name."""

    browser: ClassVar[bool] = True

    name: Annotated[Private, Meta(max_length=200)] = ""
    """Empty: one that nobody can guess."""
    password: Password = ""
    metadata: Metadata = {}


class Existence(Message, tag="kept.existence"):
    """Whether there is such a document, and whether it needs a password."""

    exists: bool
    protected: bool = False


class Exists(Request[Existence, Never], tag="kept.exists"):
    """Is there a document of that name?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    name: Name


class Kept(Message, tag="kept.kept"):
    """Documents of this origin by name, from `start` on; one that is damaged as a whole is in the log instead."""

    total: int
    start: int
    documents: list[KeptDocument]


class ListKept(Request[Kept, Never], tag="kept.list_kept"):
    """Which documents has this origin?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    start: Annotated[int, Meta(ge=0)] = 0
    count: Annotated[int, Meta(ge=1, le=1000)] = 1000


class Progress(Message, tag="kept.progress"):
    """How many pages are done, of how many."""

    pages: int
    total: int


class Saved(Message, tag="kept.saved"):
    """The pages are in the document, and durable."""

    page_ids: list[str]
    """Their ids in the kept document, in order."""
    pages: int
    """That the document now has."""


class Save(Request[Saved, Progress], tag="kept.save"):
    """Put copies of this session's pages into a document, with their edits and tags: all of them, or none."""

    browser: ClassVar[bool] = True
    detached: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 3600.0

    name: Name
    password: Password = ""
    page_ids: PageIds = []
    """In this order; none means all of `document_id`."""
    document_id: str = ""
    """One of the session's documents; empty: its first."""
    replace: bool = False
    """Instead of the pages that are in the document."""
    position: Annotated[int, Meta(ge=-1)] = -1
    """Where the first of them is afterwards, 0-based; -1, or past the end: after all others."""


class Loaded(Message, tag="kept.loaded"):
    """The pages are the session's, and durable."""

    page_ids: list[str]
    """Their ids in the session, in order."""
    metadata: Metadata
    damaged: list[str] = []
    """Ids in the kept document of pages that cannot be read; they were left out."""


class Load(Request[Loaded, Progress], tag="kept.load"):
    """Append copies of a document's pages to this session, with their edits and tags."""

    browser: ClassVar[bool] = True
    detached: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 3600.0

    name: Name
    password: Password = ""
    page_ids: PageIds = []
    """Of the kept document, in this order; none means all."""
    document_id: str = ""
    """One of the session's documents; empty: its first."""


class Pages(Message, tag="kept.pages"):
    """Pages of a document in order, from `start` on."""

    total: int
    start: int
    pages: list[Page]
    """Fewer than asked for where the letter would be too long: go on at `start` plus their number."""


class ListPages(Request[Pages, Never], tag="kept.list_pages"):
    """Which pages has a document? To see one, load it."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    name: Name
    password: Password = ""
    start: Annotated[int, Meta(ge=0)] = 0
    count: Annotated[int, Meta(ge=1, le=1000)] = 1000


class PagesRemoved(Message, tag="kept.pages_removed"):
    """The pages are gone."""

    pages: int
    """That the document still has."""


class RemovePages(Request[PagesRemoved, Never], tag="kept.remove_pages"):
    """Delete pages of a document."""

    browser: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 60.0

    name: Name
    page_ids: Annotated[list[str], Meta(min_length=1, max_length=PAGES_LIMIT)]
    """Of the kept document."""
    password: Password = ""


class Noted(Message, tag="kept.noted"):
    """A document's metadata."""

    metadata: Metadata
    pages: int
    """That the document has."""


class GetMetadata(Request[Noted, Never], tag="kept.get_metadata"):
    """What was noted with a document, and how many pages it has."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    name: Name
    password: Password = ""


class SetMetadata(Request[Noted, Never], tag="kept.set_metadata"):
    """Replace what was noted with a document."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    name: Name
    metadata: Metadata
    password: Password = ""


class Removed(Message, tag="kept.removed"):
    """The document's key is destroyed and its files are deleted."""


class Remove(Request[Removed, Never], tag="kept.remove"):
    """Destroy a document. One whose key is damaged, so that nothing can open it, needs no password."""

    browser: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 60.0

    name: Name
    password: Password = ""
