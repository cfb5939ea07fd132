"""The one letter that everything on the bus travels in."""

from enum import StrEnum

from msgspec import Raw, Struct


class Kind(StrEnum):
    """What a letter is for; PROTOCOL.md tells who may send which, and when."""

    REQUEST = "request"
    PART = "part"
    REPLY = "reply"
    CANCEL = "cancel"
    EVENT = "event"


NO_BODY = Raw(b"\xc0")
"""MessagePack nil: the body of a letter that says nothing but its kind."""


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who writes to whom, about what, and for how long it matters."""

    id: str
    """Unique: ``<sender>.<counter>``."""
    kind: Kind
    to: str = ""
    """A service (``ocr``), one instance of it (``driver/sane:test:0``), or an event's topic."""
    sender: str = ""
    re: str = ""
    """The letter that this one answers, cancels, or was written while handling."""
    trace: str = ""
    """The letter that everything here follows from."""
    session: str = ""
    """On whose behalf; set by the gateway, never by a browser."""
    ttl: float = 0.0
    """Seconds that the sender will still wait; every request has one."""
    tries: int = 1
    """How many workers may attempt it."""
    body: Raw = NO_BODY
