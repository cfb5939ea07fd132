"""The sessions that there are, who owns which bytes in the blob store, and how much room there is."""

from typing import Annotated, ClassVar, Literal, Never

from msgspec import Meta, Struct

from schemas.message import Event, Message, Request


class Held(Message, tag="cache.held"):
    """The blobs stay until their last owner lets go."""


class Hold(Request[Held, Never], tag="cache.hold"):
    """Own blobs of this session; `not_found` if one of them is not there."""

    idempotent: ClassVar[bool] = True

    owner: str
    """A page id, or `<kind>:<id>`."""
    blobs: list[str]
    again: bool = False
    """Whether they can be made again: they go when room is short."""


class Released(Message, tag="cache.released"):
    """The owners have let go; what nobody owns any more is deleted."""


class Release(Request[Released, Never], tag="cache.release"):
    """Let go of everything that these owners of this session have."""

    idempotent: ClassVar[bool] = True

    owners: list[str]


class Owned(Message, tag="cache.owned"):
    """Everybody who owns something of this session."""

    owners: list[str]


class ListOwners(Request[Owned, Never], tag="cache.list_owners"):
    """Who owns something of this session?"""

    idempotent: ClassVar[bool] = True


class Claim(Request[Held, Never], tag="cache.claim"):
    """Own these blobs, and nothing else in this session: what a crash left with other owners is let go.

    It is about pages: owners of another kind have a colon in their name, and keep what they have.
    """

    idempotent: ClassVar[bool] = True

    pages: dict[str, list[str]]
    """Owner to blobs; those that are not there are left out."""
    after: str = ""
    up_to: str = ""
    """What is said is said of owners between these two, in the order of their names; "": of all. So those that do not
    fit into one letter can be claimed by several."""


class Began(Message, tag="cache.began"):
    """The session is there, and stays over crashes and reboots."""

    session_id: str


class BeginSession(Request[Began, Never], tag="cache.begin_session"):
    """Make a session with a key and a folder of its own."""

    origin: str = ""
    """The web page's, whose session it is; empty: a program's."""


class Stay(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session that is kept. Times are Unix times, in seconds."""

    session_id: str
    origin: str = ""
    begun_at: float
    used_at: float
    damaged: bool = False
    """Its key is: nothing that it kept can be read."""


class Used(Message, tag="cache.used"):
    """It is noted."""


class UseSession(Request[Used, Never], tag="cache.use_session"):
    """This session is being used now; `not_found` where there is none."""

    idempotent: ClassVar[bool] = True

    origin: str = ""
    """Whose it is, from whoever checked that: noted where a damaged database has forgotten it."""


class Sessions(Message, tag="cache.sessions"):
    """All sessions of an origin, the one that began last first."""

    sessions: list[Stay]


class ListSessions(Request[Sessions, Never], tag="cache.list_sessions"):
    """Which sessions of this origin are kept?"""

    idempotent: ClassVar[bool] = True

    origin: str = ""


class FoundSession(Message, tag="cache.found_session"):
    """The session."""

    session: Stay


class GetSession(Request[FoundSession, Never], tag="cache.get_session"):
    """What is known of this session; `not_found` where there is none."""

    idempotent: ClassVar[bool] = True


class Ended(Message, tag="cache.ended"):
    """The session's key and files are gone."""


class EndSession(Request[Ended, Never], tag="cache.end_session"):
    """Destroy this session's key and delete all that it kept."""

    idempotent: ClassVar[bool] = True


class HasRoom(Message, tag="cache.has_room"):
    """A page may be written."""


class Room(Request[HasRoom, Never], tag="cache.room"):
    """May a page be written? Answered as soon as there is room for it: below the limit, and on the disk."""

    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 86400.0

    refused: bool = False
    """The system has just refused a write, whatever the figures say (a quota): pause before the next attempt."""


class DiskFull(Event, tag="cache.disk_full"):
    """Scanners wait for room to keep their pages; what was finished before is safe."""

    browser: ClassVar[bool] = True

    reason: Literal["disk", "limit"]
    """The disk is full, or the store has taken as much of it as it may."""
    used_bytes: int
    free_bytes: int
    limit_bytes: int
    """0: none."""


class RoomAgain(Event, tag="cache.room_again"):
    """There is room again: scanners go on."""

    browser: ClassVar[bool] = True


class Usage(Message, tag="cache.usage"):
    """How much is kept, and how much may be."""

    disk_bytes: int
    disk_free_bytes: int
    blobs: int
    sessions: int
    memory_limit_bytes: int
    disk_limit_bytes: Annotated[int, Meta(ge=0)] = 0
    """0: none."""


class GetUsage(Request[Usage, Never], tag="cache.get_usage"):
    """How full is the store?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True


class SessionEnded(Event, tag="cache.session_ended"):
    """A session and all that it kept are gone."""
