"""Pages as pictures that a browser, or a PDF, can take."""

from typing import Annotated, ClassVar, Literal, Never

from msgspec import Meta

from schemas.message import Blob, Message, Request
from schemas.page import Degrees, Image

Format = Literal["image/jpeg", "image/png", "image/tiff"]


class Rendered(Message, tag="image.rendered"):
    """The picture; owned by `Render.owner`."""

    blob: Blob
    width_px: int
    height_px: int


class Render(Request[Rendered, Never], tag="image.render"):
    """Make a picture of a page: rotated, and made smaller where a width is given."""

    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 60.0

    image: Image
    owner: str
    """Whose the picture is: it goes when that owner lets go."""
    rotation_degrees: Degrees = 0
    width_px: Annotated[int, Meta(ge=0, le=20000)] = 0
    """At most so wide after rotation; 0 keeps every pixel."""
    media_type: Format = "image/jpeg"
    """`image/tiff` is CCITT Group 4 in one strip, for mono pages only."""
    quality: Annotated[int, Meta(ge=1, le=95)] = 85
