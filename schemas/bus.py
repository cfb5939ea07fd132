"""What a worker and the broker say to each other."""

from typing import ClassVar, Never

from msgspec import Struct

from schemas.message import Event, Message, Private, Request


class Registered(Message, tag="bus.registered"):
    """The broker knows the worker; `broker` changes when the broker was restarted."""

    broker: str


class Register(Request[Registered, Never], tag="bus.register"):
    """Announcement, readiness and heartbeat in one, sent every second from the worker's own loop.

    No services means that the worker takes no new work and will leave.
    """

    services: list[str]
    slots: int = 1


class ServiceState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one service does: who works for it and what waits."""

    service: str
    workers: int = 0
    slots: int = 0
    busy: int = 0
    queued: int = 0
    failed: str = ""
    """Why it was given up, if it was."""


class Status(Message, tag="bus.status"):
    """What runs now."""

    broker: str
    services: list[ServiceState]


class GetStatus(Request[Status, Never], tag="bus.get_status"):
    """Ask what runs now."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True


class ServiceChanged(Event, tag="bus.service_changed"):
    """A service came, went or was given up."""

    browser: ClassVar[bool] = True

    service: str
    available: bool


class Recorded(Message, tag="bus.recorded"):
    """The trace is in its file."""

    letters: int


class Record(Request[Recorded, Never], tag="bus.record"):
    """Write every letter from now on to a new file, until this is canceled or its time is over; sent to `bus/trace`.

    With `session`, or the beginning of one, and `service`, only theirs and what follows from them.
    """

    timeout_s: ClassVar[float] = 86400.0

    path: Private
    """The whole path, ending in `.jsonl`, of a file that does not exist."""
    session: str = ""
    service: str = ""
    private: bool = False
    """Whether to show fields that are marked as private."""


class SaveRing(Request[Recorded, Never], tag="bus.save_ring"):
    """Write the letters of the last minute to a new file; sent to `bus/trace`."""

    path: Private
    """As for `Record`."""
    private: bool = False
