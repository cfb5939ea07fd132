"""The pages of a session: documents, their order, their edits and tags."""

from typing import Annotated, ClassVar, Never

from msgspec import Meta, Struct

from schemas.message import Event, Message, Private, Request
from schemas.page import TAGS, Degrees, Image, Page, TagName

FIRST = "first"
"""The id of the document that every session has."""
PAGES = 10_000
"""What a document may grow to by moving and copying, and how many pages one request may name."""
LISTED = 1000
"""How many pages one reply gives at most."""
SHOWN_IDS = 4000
"""How many ids the changes of one edit list at most."""

PageIds = Annotated[list[str], Meta(min_length=1, max_length=PAGES)]
Tags = Annotated[list[TagName], Meta(max_length=TAGS)]
DocumentName = Annotated[Private, Meta(max_length=200)]
Position = Annotated[int, Meta(ge=0)]


class Document(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pages in an order; a session always has a first one."""

    document_id: str
    name: Private = ""
    pages: int = 0
    revision: int = 0
    """Goes up by one with each change."""


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One splice: where the document had `before` from `at` on, it now has `after`."""

    document_id: str
    revision: int
    """Of the document after this change: whoever knows the one before can replay it, anybody else asks again."""
    at: int = 0
    before: list[str] = []
    after: list[str] = []
    touched: list[str] = []
    """Pages whose edits or tags changed, wherever they are."""
    whole: bool = False
    """There would be too many ids: they are left out, ask for the pages again."""
    gone: bool = False
    """The document was removed."""


class Edited(Message, tag="buffer.edited"):
    """It is durable; one change for each document that is not as it was."""

    changes: list[Change]


class Documents(Message, tag="buffer.documents"):
    """All documents of the session; the one with the id `first` is what an empty `document_id` means."""

    documents: list[Document]
    default_tag: Private = ""


class ListDocuments(Request[Documents, Never], tag="buffer.list_documents"):
    """Which documents has this session?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True


class DocumentCreated(Message, tag="buffer.document_created"):
    """The document is the session's last, and empty."""

    document: Document


class CreateDocument(Request[DocumentCreated, Never], tag="buffer.create_document"):
    """Begin another document; `too_large` beyond 100."""

    browser: ClassVar[bool] = True

    name: DocumentName = ""


class RenameDocument(Request[Edited, Never], tag="buffer.rename_document"):
    """Give a document another name."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    document_id: str
    name: DocumentName


class RemoveDocument(Request[Edited, Never], tag="buffer.remove_document"):
    """Delete a document with its pages; the first one stays, without pages and name."""

    browser: ClassVar[bool] = True

    document_id: str


class DefaultTag(Message, tag="buffer.default_tag"):
    """It is durable."""


class SetDefaultTag(Request[DefaultTag, Never], tag="buffer.set_default_tag"):
    """Put a tag on every page that comes from now on."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    tag: Annotated[Private, Meta(max_length=64)]
    """Empty: none."""


class Pages(Message, tag="buffer.pages"):
    """Pages in order, from `start` on; fewer than asked for where the letter would be too long."""

    pages: list[Page]
    document_id: str = ""
    revision: int = 0
    """Of the document; another one with the next part means that it changed meanwhile."""
    total: int = 0
    start: int = 0


class ListPages(Request[Pages, Never], tag="buffer.list_pages"):
    """Which pages has a document? Go on at `start` + `len(pages)` while that is less than `total`."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    document_id: str = ""
    """Empty: the session's first."""
    tag: Annotated[Private, Meta(max_length=64)] = ""
    """Only pages that have it; empty: all."""
    page_ids: Annotated[list[str], Meta(max_length=PAGES)] = []
    """Rather these pages, in this order, of whichever documents; `not_found` if the session has not all of them."""
    start: Position = 0
    count: Annotated[int, Meta(ge=1, le=LISTED)] = LISTED


class Found(Message, tag="buffer.found"):
    """One page."""

    page: Page
    document_id: str = ""


class GetPage(Request[Found, Never], tag="buffer.get_page"):
    """One page of this session; `not_found` if it has none of that id."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    page_id: str


class Appended(Message, tag="buffer.appended"):
    """The page is durable."""

    page: Page
    document_id: str = ""
    """Where it is."""


class Append(Request[Appended, Never], tag="buffer.append"):
    """Keep an image as a page, with the default tag.

    Asked again with the same `job_id` and `number`, it gives the same page and changes nothing, even after that page
    was removed. No page is refused because a document or page is gone: it then comes last.
    """

    image: Image
    job_id: str = ""
    number: Annotated[int, Meta(ge=0)] = 0
    document_id: str = ""
    """Empty, or one that is gone: the first document, unless there is an `after_page_id`."""
    after_page_id: str = ""
    """The page that it follows; empty, gone or in another document than `document_id`: it comes last."""
    rotation_degrees: Degrees = 0
    tags: Tags = []


class Rescued(Message, tag="buffer.rescued"):
    """The pages that were found, in order, now appended."""

    pages: list[Page]
    last_number: int
    """The last page of the job that there is or was; 0: none."""


class Rescue(Request[Rescued, Never], tag="buffer.rescue"):
    """Append the images of a job that were kept, but not acknowledged, before a crash.

    They follow the last page that is known, without a hole between their numbers.
    """

    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 60.0

    job_id: str


class Move(Request[Edited, Never], tag="buffer.move"):
    """Put pages, in the order given, so that the first of them is at `position` afterwards."""

    browser: ClassVar[bool] = True

    page_ids: PageIds
    position: Position
    """0-based; past the end means last."""
    document_id: str = ""
    """Empty: the document of the first of them."""


class Copied(Message, tag="buffer.copied"):
    """The copies, in the order in which the pages were named."""

    page_ids: list[str]


class Copy(Request[Copied, Never], tag="buffer.copy"):
    """Put copies of pages, in the order given, so that the first of them is at `position` afterwards."""

    browser: ClassVar[bool] = True

    page_ids: PageIds
    position: Position
    document_id: str = ""
    """Empty: the document of the first of them."""


class Remove(Request[Edited, Never], tag="buffer.remove"):
    """Delete pages: their images go when nobody else has them."""

    browser: ClassVar[bool] = True

    page_ids: PageIds


class Rotate(Request[Edited, Never], tag="buffer.rotate"):
    """Turn pages clockwise; the images as scanned are not touched."""

    browser: ClassVar[bool] = True

    page_ids: PageIds
    degrees: Degrees


class Tag(Request[Edited, Never], tag="buffer.tag"):
    """Put tags on pages and take tags from them; `too_large` where a page would have more than 16."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    page_ids: PageIds
    add: Tags = []
    remove: Tags = []


class Changed(Event, tag="buffer.changed"):
    """A document of the session changed."""

    browser: ClassVar[bool] = True

    change: Change
