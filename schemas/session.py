"""How a browser, or any program outside, begins and ends its stay."""

from typing import ClassVar, Never

from schemas.message import Message, Private, Request


class Opened(Message, tag="session.opened"):
    """The stay: keep the token, it opens the same session again after a reload."""

    session_id: str
    token: Private
    version: str
    """Of the service."""
    resumed: bool = False


class Open(Request[Opened, Never], tag="session.open"):
    """Begin a session, or come back to one."""

    browser: ClassVar[bool] = True

    token: Private = ""


class Closed(Message, tag="session.closed"):
    """The session's pages, files and key are gone."""


class Close(Request[Closed, Never], tag="session.close"):
    """End the session and destroy all that it kept."""

    browser: ClassVar[bool] = True
    detached: ClassVar[bool] = True
