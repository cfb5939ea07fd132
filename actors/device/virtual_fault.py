"""Faults on demand: without them, nobody could see what Scanbus does when a scanner fails."""

import os
import signal
import threading
from typing import Never

from msgspec import Struct

from schemas.errors import CoverOpen, DeviceError, DoubleFeed, FeederEmpty, InUse, Invalid, Offline, PaperJam, WarmingUp

_AT_A_PAGE: dict[str, type[DeviceError] | None] = {
    "jam": PaperJam,
    "double_feed": DoubleFeed,
    "cover_open": CoverOpen,
    "hang": None,
    "crash": None,
}
AT_ONCE: dict[str, type[DeviceError]] = {
    "empty": FeederEmpty,
    "offline": Offline,
    "busy": InUse,
    "warming_up": WarmingUp,
}
"""Faults that are there before a page moves."""


class Fault(Struct, frozen=True):
    """What shall go wrong: by name, and at which page (1 is the first; 0: at once)."""

    name: str = ""
    page: int = 0

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Read `jam@3` or `offline`; nothing is no fault. Raises Invalid with the list of what there is."""
        name, _, page = text.partition("@")
        if not text or text in AT_ONCE:
            return cls(text)
        if name in _AT_A_PAGE and page.isdecimal() and page.isascii() and int(page) > 0:
            return cls(name, int(page))
        known = ", ".join([*(f"{each}@N" for each in _AT_A_PAGE), *AT_ONCE])
        raise Invalid(f"{text!r} is no fault of a virtual scanner. There are: {known}; N is the page, from 1.")

    def strike(self) -> Never:
        """Fail as it says."""
        error = _AT_A_PAGE.get(self.name) or AT_ONCE.get(self.name)
        if error is not None:
            raise error
        if self.name == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            threading.Event().wait()
