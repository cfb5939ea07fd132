"""The pages of a session, in order."""

from typing import Annotated, ClassVar, Never

from msgspec import Meta

from schemas.message import Event, Message, Request
from schemas.page import Degrees, Image, Page


class Pages(Message, tag="buffer.pages"):
    """All pages of the session, in order."""

    pages: list[Page]


class ListPages(Request[Pages, Never], tag="buffer.list_pages"):
    """Which pages has this session?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True


class Found(Message, tag="buffer.found"):
    """One page."""

    page: Page


class GetPage(Request[Found, Never], tag="buffer.get_page"):
    """One page of this session; `not_found` if it has none of that id."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    page_id: str


class Appended(Message, tag="buffer.appended"):
    """The page is the session's last, and durable."""

    page: Page


class Append(Request[Appended, Never], tag="buffer.append"):
    """Keep an image as the session's last page."""

    image: Image


class Move(Request[Pages, Never], tag="buffer.move"):
    """Put pages, in the order given, so that the first of them is at `position` afterwards."""

    browser: ClassVar[bool] = True

    page_ids: Annotated[list[str], Meta(min_length=1, max_length=10000)]
    position: Annotated[int, Meta(ge=0)]
    """0-based; past the end means last."""


class Remove(Request[Pages, Never], tag="buffer.remove"):
    """Delete pages: their images go when nobody else has them."""

    browser: ClassVar[bool] = True

    page_ids: Annotated[list[str], Meta(min_length=1, max_length=10000)]


class Rotate(Request[Pages, Never], tag="buffer.rotate"):
    """Turn pages clockwise; the images as scanned are not touched."""

    browser: ClassVar[bool] = True

    page_ids: Annotated[list[str], Meta(min_length=1, max_length=10000)]
    degrees: Degrees


class Changed(Event, tag="buffer.changed"):
    """The session's pages changed: ask for them again."""

    browser: ClassVar[bool] = True
