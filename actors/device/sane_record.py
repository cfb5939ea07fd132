"""Writes down all that a SANE device answers, its pixels never: without it, no recording could be made."""

from collections.abc import Callable
from contextlib import suppress

import msgspec

from actors.device.driver import Sink
from actors.device.recording import (
    CancelLine,
    CloseLine,
    EndLine,
    FrameLine,
    GetLine,
    Head,
    Line,
    OptionLine,
    ReadLine,
    SetLine,
    StartLine,
    Value,
    info_names,
    packed,
    status_text,
)
from actors.device.sane_device import SaneDevice, SaneHandle
from actors.device.sane_options import Descriptor, SetInfo, option_of
from actors.device.sane_read import Frame
from schemas.errors import ScanbusError

_RUNS_A_LINE = 1000


def record(head: Head, connect: Callable[[], SaneHandle], sink: Sink, write: Callable[[str], object]) -> None:
    """Describe a device, scan with the settings in `head`, and describe it again: how it comes back belongs to it.

    Each line is written as soon as it is known. Raises what the device raises, after the last line.
    """
    tape = Tape(head, write)
    try:
        device = SaneDevice(lambda: Recorder(connect(), tape))
        try:
            device.capabilities()
            try:
                device.acquire(head.settings, sink)
            finally:
                with suppress(ScanbusError):
                    device.capabilities()
        finally:
            device.close()
    finally:
        tape.end()


class Tape:
    """The lines of one recording, and what they have told already: it goes on when a device is opened anew."""

    def __init__(self, head: Head, write: Callable[[str], object]) -> None:
        self._write = write
        self.rows: dict[int, Descriptor] = {}
        self.values: dict[int, Value | None] = {}
        write(msgspec.json.encode(head).decode())

    def note(self, line: Line) -> None:
        """Add a line."""
        self._write(msgspec.json.encode(line).decode())

    def end(self) -> None:
        """Add the last line."""
        self.note(EndLine())


class Recorder:
    """A handle that does what the one inside does, and writes down what that answers."""

    def __init__(self, handle: SaneHandle, tape: Tape) -> None:
        self._handle = handle
        self._tape = tape
        self._sizes: list[tuple[int, int]] = []
        self._started = False

    def descriptors(self) -> list[Descriptor]:
        """All options; those are noted that are not as they were."""
        rows = self._handle.descriptors()
        for row in rows:
            if self._tape.rows.get(row[0]) != row:
                self._tape.note(OptionLine.of(row))
                self._tape.rows[row[0]] = row
        return rows

    def get_value(self, index: int, size: int) -> bytes:
        """An option's value; noted where it is not as it was."""
        try:
            raw = self._handle.get_value(index, size)
        except ScanbusError as error:
            self._tape.values.pop(index, None)
            self._tape.note(GetLine(option=self._name(index), status=status_text(error)))
            raise
        value = self._decoded(index, raw)
        if index not in self._tape.values or self._tape.values[index] != value:
            self._tape.note(GetLine(option=self._name(index), value=value))
            self._tape.values[index] = value
        return raw

    def set_value(self, index: int, raw: bytearray) -> SetInfo:
        """Set an option."""
        name, value = self._name(index), self._decoded(index, raw)
        try:
            info = self._handle.set_value(index, raw)
        except ScanbusError as error:
            self._tape.note(SetLine(option=name, value=value, status=status_text(error)))
            raise
        took = self._tape.values[index] = self._decoded(index, raw)
        self._tape.note(SetLine(option=name, value=value, took=None if took == value else took, info=info_names(info)))
        return info

    def start(self) -> None:
        """Begin the next frame."""
        before = None
        if not self._started:
            with suppress(ScanbusError):
                before = self._handle.frame()
        self._started = True
        try:
            self._handle.start()
        except ScanbusError as error:
            self._tape.note(StartLine(before=before, status=status_text(error)))
            raise
        self._tape.note(StartLine(before=before))

    def frame(self) -> Frame:
        """What is known of the frame that was begun."""
        try:
            frame = self._handle.frame()
        except ScanbusError as error:
            self._tape.note(FrameLine(status=status_text(error)))
            raise
        self._tape.note(FrameLine(frame=frame))
        return frame

    def read(self, into: memoryview) -> int | None:
        """Read; what is noted is how much came."""
        try:
            came = self._handle.read(into)
        except ScanbusError as error:
            self._note_reads(status_text(error))
            raise
        if came is None:
            self._note_reads("eof")
        elif self._sizes and self._sizes[-1][0] == came:
            self._sizes[-1] = (came, self._sizes[-1][1] + 1)
        else:
            if len(self._sizes) == _RUNS_A_LINE:
                self._note_reads("")
            self._sizes.append((came, 1))
        return came

    def cancel(self) -> None:
        """End whatever was started."""
        if self._sizes:
            self._note_reads("")
        if self._started:
            self._tape.note(CancelLine())
        self._started = False
        self._handle.cancel()

    def close(self) -> None:
        """Give the device back."""
        self._tape.note(CloseLine())
        self._handle.close()

    def _name(self, index: int) -> str:
        return self._tape.rows[index][1] or ""

    def _decoded(self, index: int, raw: bytes | bytearray) -> Value | None:
        return packed(option_of(self._tape.rows[index]).decode(bytes(raw)))

    def _note_reads(self, status: str) -> None:
        self._tape.note(ReadLine(sizes=self._sizes, status=status))
        self._sizes = []
