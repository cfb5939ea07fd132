"""Pages to one PDF."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.message import Blob, Message, Private, Request


class Progress(Message, tag="pdf.progress"):
    """How many pages are in the file."""

    pages: int
    total: int


class Created(Message, tag="pdf.created"):
    """The file; it is kept until the session ends."""

    document: Blob
    pages: int


class Create(Request[Created, Progress], tag="pdf.create"):
    """Make one PDF of the session's pages: right size from the resolution, rotated as seen."""

    browser: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 3600.0

    page_ids: Annotated[list[str], Meta(max_length=10000)] = []
    """In this order; none means all of the document, in its order."""
    document_id: str = ""
    """Empty: the session's first."""
    tag: Annotated[Private, Meta(max_length=64)] = ""
    """Only pages that have it; empty: all."""
    compression: Literal["jpeg", "lossless"] = "jpeg"
    """Mono pages are CCITT Group 4 in both."""
    quality: Annotated[int, Meta(ge=1, le=95)] = 85
    title: Annotated[Private, Meta(max_length=500)] = ""
