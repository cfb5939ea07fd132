"""How a browser, or any program outside, begins, finds again and ends its stay."""

from typing import ClassVar, Never

from msgspec import Struct

from schemas.message import Message, Private, Request


class Opened(Message, tag="session.opened"):
    """The stay: keep the token, it opens the same session again after a reload."""

    session_id: str
    token: Private
    version: str
    """Of the service."""
    resumed: bool = False


class Open(Request[Opened, Never], tag="session.open"):
    """Begin a session, or come back to one; a token that opens nothing any more begins one."""

    browser: ClassVar[bool] = True

    token: Private = ""
    session_id: str = ""
    """Without a token: one of the caller's own, see `session.list_stays`; `not_found` if it is not."""


class Stay(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session that is kept. Times are Unix times, in seconds."""

    session_id: str
    pages: int = 0
    """In all of its documents."""
    begun_at: float
    used_at: float
    running: bool = False
    """Whether a scan goes on in it, or waits for a person."""
    connected: bool = False
    """Whether a page is open that shows it."""
    damaged: bool = False
    """Whether nothing in it can be read any more."""


class Stays(Message, tag="session.stays"):
    """The sessions of the caller's origin, the one that was used last first."""

    stays: list[Stay]


class ListStays(Request[Stays, Never], tag="session.list_stays"):
    """Which sessions has this origin? Programs, which have none, share theirs."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True


class Closed(Message, tag="session.closed"):
    """The session's pages, files and key are gone."""


class Close(Request[Closed, Never], tag="session.close"):
    """End the session and destroy all that it kept."""

    browser: ClassVar[bool] = True
    detached: ClassVar[bool] = True
