"""Who owns which bytes in the blob store, and how much room there is."""

from typing import ClassVar, Never

from schemas.message import Event, Message, Request


class Held(Message, tag="cache.held"):
    """The blobs stay until their last owner lets go."""


class Hold(Request[Held, Never], tag="cache.hold"):
    """Own blobs of this session; `not_found` if one of them is not there."""

    idempotent: ClassVar[bool] = True

    owner: str
    """Such as a page id."""
    blobs: list[str]


class Released(Message, tag="cache.released"):
    """The owners have let go; what nobody owns any more is deleted."""


class Release(Request[Released, Never], tag="cache.release"):
    """Let go of everything that these owners of this session have."""

    idempotent: ClassVar[bool] = True

    owners: list[str]


class Ended(Message, tag="cache.ended"):
    """The session's key and files are gone."""


class EndSession(Request[Ended, Never], tag="cache.end_session"):
    """Destroy this session's key and delete all that it kept."""

    idempotent: ClassVar[bool] = True


class Usage(Message, tag="cache.usage"):
    """How much is kept, and how much may be."""

    disk_bytes: int
    disk_free_bytes: int
    blobs: int
    sessions: int
    memory_limit_bytes: int


class GetUsage(Request[Usage, Never], tag="cache.get_usage"):
    """How full is the store?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True


class SessionEnded(Event, tag="cache.session_ended"):
    """A session and all that it kept are gone."""
