"""What the monitor and its children say to each other: JSON lines over a pair of sockets."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from schemas.config import Config

LineT = TypeVar("LineT", bound=Struct)
LINE_LIMIT_BYTES = 1 << 20


class Setup(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process needs to begin: the monitor's own, and its first line to a child."""

    config: Config
    sockets: list[int] = []
    """File descriptors of the listening sockets."""
    monitor: int = 0
    """The process id of the monitor."""
    lock: str = ""
    """The file that the monitor removes when it ends."""


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A later line from the monitor; one of these is set, and all but the first are for main."""

    drain: bool = False
    """Finish your work and end."""
    exited: str = ""
    """A process."""
    gave_up: str = ""
    """A service."""
    reason: str = ""
    """Why it was given up."""
    restored: str = ""
    """A service."""


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line from a child to the monitor; one of these is set."""

    alive: str = ""
    """Ready; the version that runs. Main says it every second."""
    wanted: str = ""
    """A service that a letter waits for."""
    lost: str = ""
    """A process that must be ended."""
    reason: str = ""
    """Why it must."""
    failed: str = ""
    """Why the child cannot run, for a person."""
    trace: str = ""
    """The file with what was said on the bus before it crashed."""


def line(message: Struct) -> bytes:
    """A message as one line."""
    return msgspec.json.encode(message) + b"\n"


def parse(text: bytes, kind: type[LineT]) -> LineT:
    """The message in one line. Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=kind)
