"""Writes the recordings that ship with Scanbus, from SANE's test device and its oddities."""

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from actors.device.check import MemorySink, check_driver
from actors.device.recording import SHIPPED_FOLDER
from actors.device.sane import SaneDriver, connected, head_of
from actors.device.sane_device import SaneDevice, SaneHandle
from actors.device.sane_options import Panel
from actors.device.sane_record import Recorder, Tape, record
from schemas.config import DeviceConfig
from schemas.device import Area, OptionValue, Settings
from schemas.errors import ScanbusError
from schemas.page import Color, Source
from scripts.calm import CalmHandle

ADDRESS = "test:0"
STACK = 10
"""How many sheets the test device's feeder has."""


class Story(Struct, frozen=True, kw_only=True):
    """What is asked of the test device, and which status it gives instead of a page."""

    settings: Settings
    status: str = ""
    """`NO_DOCS` is given before the page moves, any other instead of its first line."""
    page: int = 1


def _asked(
    source: Source = Source.FLATBED, color: Color = Color.COLOR, pages: int = 0, **options: OptionValue
) -> Settings:
    return Settings(
        source=source,
        color=color,
        resolution_dpi=100,
        area=Area(width_mm=50, height_mm=40),
        pages=pages,
        options={name.replace("_", "-"): value for name, value in options.items()},
    )


STORIES = {
    "hand-scanner": Story(settings=_asked(hand_scanner=True)),
    "three-pass-rgb": Story(settings=_asked(**{"three-pass": True, "three-pass-order": "RGB"})),
    "three-pass-bgr": Story(settings=_asked(**{"three-pass": True, "three-pass-order": "BGR"})),
    "fuzzy-parameters": Story(settings=_asked(fuzzy_parameters=True)),
    "pixel-loss": Story(settings=_asked(ppl_loss=7)),
    "sixteen-bit": Story(settings=_asked(depth=16)),
    "read-limit": Story(settings=_asked(color=Color.GRAY, read_limit=True, read_limit_size=997)),
    "mono": Story(settings=_asked(color=Color.MONO)),
    "feeder": Story(settings=_asked(Source.FEEDER, Color.GRAY)),
    "feeder-jam": Story(settings=_asked(Source.FEEDER, Color.GRAY, select_fd=True), status="JAMMED", page=3),
    "feeder-cover-open": Story(settings=_asked(Source.FEEDER, Color.MONO, select_fd=True), status="COVER_OPEN", page=2),
    "feeder-empty": Story(settings=_asked(Source.FEEDER), status="NO_DOCS"),
    "io-error": Story(settings=_asked(select_fd=True), status="IO_ERROR"),
    "no-lines": Story(settings=_asked(select_fd=True), status="EOF"),
}
"""By the names of their files."""


class Staged(CalmHandle):
    """The test device as a story wants it."""

    def __init__(self, story: Story) -> None:
        super().__init__(ADDRESS)
        self._story = story
        self._page = 0

    def start(self) -> None:
        """Begin the next page."""
        self._page += 1
        if self._story.status and self._page == self._story.page:
            if self._story.status == "NO_DOCS":
                self._use_up()
            else:
                self._answer(f"SANE_STATUS_{self._story.status}")
        super().start()

    def cancel(self) -> None:
        """End the scan, and the failing."""
        super().cancel()
        self._answer("Default")

    def _answer(self, status: str) -> None:
        Panel(self).set("read-return-value", status)

    def _use_up(self) -> None:
        rest = memoryview(bytearray(1 << 16))
        for _ in range(STACK):
            super().start()
            while super().read(rest) is not None:
                pass
            super().cancel()


def write_recordings(folder: Path) -> None:
    """Record all stories, and the contract of drivers."""
    for name, story in STORIES.items():
        with (folder / f"{name}.jsonl").open("w") as file:
            tell(story, file)
    with (folder / "contract.jsonl").open("w") as file:
        tape = Tape(head_of(ADDRESS, Settings()), _lines(file))
        check_driver(Taped(tape), ADDRESS)
        tape.end()


def tell(story: Story, file: TextIO) -> None:
    """Record one story."""
    with suppress(ScanbusError):
        record(head_of(ADDRESS, story.settings), lambda: Staged(story), MemorySink(), _lines(file))


class Taped(SaneDriver):
    """Records all that its devices ever answer."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(DeviceConfig())
        self._tape = tape

    def open(self, address: str) -> SaneDevice:
        """Open one device."""

        def recorded() -> SaneHandle:
            return Recorder(connected(address), self._tape)

        return SaneDevice(recorded)


def _lines(file: TextIO) -> Callable[[str], object]:
    return lambda text: file.write(f"{text}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as configuration:
        (Path(configuration) / "dll.conf").write_text("test\n")
        (Path(configuration) / "test.conf").write_text("number_of_devices 1\n")
        os.environ["SANE_CONFIG_DIR"] = configuration
        target = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED_FOLDER
        target.mkdir(exist_ok=True)
        write_recordings(target)
