"""The words for paper and pixels that several services share."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from schemas.message import Blob, Private


class Source(StrEnum):
    """Where a sheet is taken from."""

    FLATBED = "flatbed"
    FEEDER = "feeder"
    DUPLEX = "duplex"
    """The feeder, both sides of each sheet."""


class Color(StrEnum):
    """What a sample means; pages keep 8 bits a sample (1 for mono)."""

    COLOR = "color"
    GRAY = "gray"
    MONO = "mono"


Dpi = Annotated[int, Meta(ge=50, le=9600)]
Millimeters = Annotated[float, Meta(ge=0, le=5000)]
Degrees = Annotated[int, Meta(ge=0, lt=360, multiple_of=90)]

MM_PER_INCH = 25.4

PAGE_SIZES_MM: dict[str, tuple[float, float]] = {
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "a6": (105.0, 148.0),
    "b5": (176.0, 250.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "card": (85.6, 54.0),
}
"""Portrait width and height of the page sizes that can be asked for by name (ISO 216, ANSI, ISO 7810)."""


class Image(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One side of a sheet as the device delivered it."""

    blob: Blob
    """`image/x-portable-anymap` (raw pixels: PBM, PGM or PPM, binary) or `image/jpeg` as delivered."""
    width_px: int
    height_px: int
    resolution_dpi: Dpi
    color: Color
    back: bool = False
    """Whether it is the back of the sheet before it."""


TagName = Annotated[Private, Meta(min_length=1, max_length=64)]
"""A word that somebody put on pages."""
TAGS = 16
"""How many a page may have."""


class Page(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page of a session: an image, and what was done to it since."""

    page_id: str
    image: Image
    rotation_degrees: Degrees = 0
    """Clockwise."""
    tags: list[TagName] = []
    job_id: str = ""
    """The scan that it came from, if it came from one."""
    number: int = 0
    """Which page of that scan: 1 is the first."""


class PageLabel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lies sealed beside a scanned image (as MessagePack), so that its page can be made without any database."""

    job_id: str
    number: Annotated[int, Meta(ge=1)]
    document_id: str = ""
    after_page_id: str = ""
    """Both as in `buffer.append`."""
    width_px: int
    height_px: int
    resolution_dpi: Dpi
    color: Color
    back: bool = False
