"""A SANE device that answers from a recording: without it, a recording could be read but not scanned with."""

import struct
from typing import TypeVar

from msgspec import Struct

from actors.device.recording import (
    CancelLine,
    CloseLine,
    FrameLine,
    GetLine,
    Line,
    OptionLine,
    ReadLine,
    Recording,
    SetLine,
    StartLine,
    Value,
    error_from,
    info_of,
    packed,
    unpacked,
)
from actors.device.sane_options import Descriptor, SaneOption, SetInfo, option_of
from actors.device.sane_read import Frame
from actors.device.sane_settings import COVERED
from actors.device.sane_status import Status, error_of
from schemas.errors import DriverFailed, Unsupported

_PATTERN = bytes(range(256))
_FRAME_LIMIT_BYTES = 1 << 32


class Refusal(Struct, frozen=True):
    """Stands for the value of an option that could not be read."""

    status: str


class State(Struct, frozen=True):
    """How the device was for a while."""

    values: dict[str, Value | Refusal]
    rows: dict[int, Descriptor]


class Shot(Struct):
    """One frame: how it began, what was announced of it, and what was read."""

    start: StartLine
    frame: FrameLine | None = None
    reads: list[ReadLine] = []


class Take(Struct):
    """One scan, from its first start until it was canceled."""

    shots: list[Shot] = []


Step = SetLine | Take | CloseLine
"""What changed the device: step `n` of a recording led from its state `n` to its state `n + 1`."""
StepT = TypeVar("StepT", SetLine, Take, CloseLine)


class Player:
    """A handle; wherever its options are as they were in the recording, it answers what the device answered.

    What was recorded for equal options is played in its order, then from the first again. A value that was never
    set in the recording is taken as it is; pixels are a pattern.
    """

    def __init__(self, recording: Recording) -> None:
        self._steps, self._states = _story(recording.lines)
        self._values = dict(self._states[0].values)
        self._rows = self._states[0].rows
        self._place = 0
        self._left: list[Shot] | None = None
        self._shot: Shot | None = None

    def descriptors(self) -> list[Descriptor]:
        """All options as they are now."""
        return [self._rows[index] for index in sorted(self._rows)]

    def get_value(self, index: int, size: int) -> bytes:
        """An option's value; 0 or nothing where the recording never tells."""
        option = self._option(index)
        value = self._values.get(option.name)
        if isinstance(value, Refusal):
            raise error_from(value.status)
        return bytes(max(size, 4)) if value is None else bytes(_encoded(option, value))

    def set_value(self, index: int, raw: bytearray) -> SetInfo:
        """Set an option."""
        option = self._option(index)
        value = packed(option.decode(bytes(raw)))
        sets = [(number, step) for number, step in enumerate(self._steps) if isinstance(step, SetLine)]
        found = self._nearest([each for each in sets if (each[1].option, each[1].value) == (option.name, value)])
        if found is None:
            if value is not None:
                self._values[option.name] = value
            self._describe(self._states[self._place])
            return SetInfo(0)
        line = self._play(*found)
        if line.status:
            raise error_from(line.status)
        took = value if line.took is None else line.took
        if took is not None:
            self._values[option.name] = took
            raw[:] = _encoded(option, took)
        return info_of(line.info)

    def start(self) -> None:
        """Begin the next frame; after the last one that was recorded there is no paper."""
        if self._left is None:
            self._left = list(self._play(*self._take()).shots)
        if not self._left:
            raise error_of(Status.NO_DOCS)
        self._shot = self._left.pop(0)
        self._sizes = [run for line in self._shot.reads for run in line.sizes]
        self._offset = 0
        if sum(size * count for size, count in self._sizes) > _FRAME_LIMIT_BYTES:
            raise DriverFailed("The recording is damaged: no image is that large. Record it again.")
        if self._shot.start.status:
            raise error_from(self._shot.start.status)

    def frame(self) -> Frame:
        """What was announced of the frame that was begun, or would be begun now."""
        if self._shot is None:
            frame = self._take()[1].shots[0].start.before
        else:
            line = self._shot.frame or FrameLine()
            if line.status:
                raise error_from(line.status)
            frame = line.frame
        if frame is None:
            raise DriverFailed("The recording does not tell what this image is. Choose what was recorded.")
        return frame

    def read(self, into: memoryview) -> int | None:
        """As many bytes as were read then, or, where `into` is shorter, in several pieces."""
        if self._shot is None:
            raise error_of(Status.INVAL)
        if not self._sizes:
            self._raise_unless_ended(self._shot)
            return None
        recorded, count = self._sizes[0]
        came = min(recorded, len(into))
        rest = [(recorded - came, 1)] if came < recorded else []
        self._sizes[:1] = [*rest, *([(recorded, count - 1)] if count > 1 else [])]
        begin = self._offset % len(_PATTERN)
        into[:came] = (_PATTERN * (came // len(_PATTERN) + 2))[begin : begin + came]
        self._offset += came
        return came

    def cancel(self) -> None:
        """End whatever was started."""
        self._left = self._shot = None

    def close(self) -> None:
        """Give the device back; it can be used again at once, as if it had been opened anew."""
        self.cancel()
        found = self._nearest([(n, step) for n, step in enumerate(self._steps) if isinstance(step, CloseLine)])
        if found is not None:
            self._play(*found)

    def _option(self, index: int) -> SaneOption:
        return option_of(self._rows[index])

    def _nearest(self, among: list[tuple[int, StepT]]) -> tuple[int, StepT] | None:
        """The step before which the options were most like now, and of equal ones the next in the recording."""

        def distance(numbered: tuple[int, StepT]) -> tuple[int, int, int]:
            number = numbered[0]
            differences = _differences(self._states[number].values, self._values)
            return len(differences & COVERED), len(differences), (number - self._place) % len(self._steps)

        return min(among, key=distance, default=None)

    def _play(self, number: int, step: StepT) -> StepT:
        before, after = self._states[number].values, self._states[number + 1]
        self._values |= {name: value for name, value in after.values.items() if before.get(name) != value}
        self._place = number + 1
        self._describe(after)
        return step

    def _describe(self, likely: State) -> None:
        """Describe the options as they were when their values were most like now."""
        if _differences(likely.values, self._values):
            likely = min(self._states, key=lambda state: len(_differences(state.values, self._values)))
        self._rows = likely.rows

    def _take(self) -> tuple[int, Take]:
        """The scan that was recorded with these options; those that decide an image's size and kind must be equal."""
        found = self._nearest([(number, step) for number, step in enumerate(self._steps) if isinstance(step, Take)])
        if found is None:
            raise DriverFailed("The recording ends before a scan began. Record it again.")
        recorded = self._states[found[0]].values
        other = sorted(_differences(recorded, self._values) & COVERED)
        if other:
            raise Unsupported(
                f"The recording has no scan with {_listed(other, self._values)}, only with {_listed(other, recorded)}."
            )
        return found

    def _raise_unless_ended(self, shot: Shot) -> None:
        status = shot.reads[-1].status if shot.reads else ""
        if not status:
            raise DriverFailed("The recording ends in the middle of this page: the scan was stopped there.")
        if status != "eof":
            raise error_from(status)


def _story(lines: list[Line]) -> tuple[list[Step], list[State]]:
    """The steps of a recording, and the states between them."""
    steps: list[Step] = []
    states: list[State] = []
    values: dict[str, Value | Refusal] = {}
    rows: dict[int, Descriptor] = {}
    for line in lines:
        # What is told for the first time was so from the beginning, as far as anybody knows.
        if isinstance(line, GetLine) and line.value is not None:
            values.setdefault(line.option, line.value)
        elif isinstance(line, OptionLine):
            rows.setdefault(line.index, line.row)
    take: Take | None = None

    def begin(step: Step) -> None:
        states.append(State(dict(values), dict(rows)))
        steps.append(step)

    for line in lines:
        match line:
            case OptionLine():
                rows[line.index] = line.row
            case GetLine():
                values[line.option] = Refusal(line.status) if line.value is None else line.value
            case SetLine():
                begin(line)
                took = line.value if line.took is None else line.took
                if took is not None and not line.status:
                    values[line.option] = took
            case StartLine():
                if take is None:
                    take = Take()
                    begin(take)
                take.shots.append(Shot(line))
            case FrameLine() if take is not None:
                take.shots[-1].frame = line
            case ReadLine() if take is not None:
                take.shots[-1].reads.append(line)
            case CancelLine():
                take = None
            case CloseLine():
                take = None
                begin(line)
    states.append(State(values, rows))
    return steps, states


def _differences(one: dict[str, Value | Refusal], other: dict[str, Value | Refusal]) -> set[str]:
    return {name for name in one.keys() & other.keys() if one[name] != other[name]}


def _encoded(option: SaneOption, value: Value) -> bytearray:
    try:
        return option.encode(unpacked(value, option.length))
    except (ValueError, TypeError, struct.error) as error:
        raise DriverFailed(f"The recording is damaged: {option.name} cannot be {value}. Record it again.") from error


def _listed(names: list[str], values: dict[str, Value | Refusal]) -> str:
    return " and ".join(f"{name} {values[name]}" for name in names)
