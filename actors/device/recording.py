"""What a scanner answered, as lines that people can read: without it, a scanner's quirk would need the scanner."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from actors.device.sane_options import Descriptor, Kind, SetInfo
from actors.device.sane_read import Frame
from actors.device.sane_status import Status, error_of, status_of
from schemas.device import OptionValue, Settings
from schemas.errors import DriverFailed, Offline, ScanbusError

SHIPPED_FOLDER = Path(__file__).parent / "recordings"

Number = int | float
Value = bool | int | float | str | list[tuple[Number, int]]
"""An option's value; a list of numbers is written as runs: the number, and how often it stands there."""
InfoName = Literal["inexact", "reload_options", "reload_params"]
Size = Annotated[int, Meta(ge=0, le=1 << 31)]
Count = Annotated[int, Meta(ge=1, le=1 << 31)]


class Head(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line: which scanner it was, what was known of its software, and what was asked for."""

    recording: Literal[1]
    """The version of the format."""
    driver: str
    vendor: str = ""
    model: str = ""
    sane: str = ""
    """libsane's version."""
    scanbus: str = ""
    settings: Settings = Settings()


class OptionLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="call", tag="option"):
    """One option, as it is described from here on: SANE's descriptor, all of it."""

    index: int
    name: str | None = None
    title: str | None = None
    description: str | None = None
    kind: Annotated[int, Meta(ge=0, le=Kind.GROUP.value)]
    unit: int = 0
    size: Annotated[int, Meta(ge=0, le=1 << 20)] = 4
    capabilities: int = 0
    range: tuple[Number, Number, Number] | None = None
    choices: list[Number | str] | None = None

    @classmethod
    def of(cls, row: Descriptor) -> "OptionLine":
        """A descriptor as a line."""
        index, name, title, description, kind, unit, size, capabilities, constraint = row
        return cls(
            index=index,
            name=name,
            title=title,
            description=description,
            kind=kind,
            unit=unit,
            size=size,
            capabilities=capabilities,
            range=constraint if isinstance(constraint, tuple) else None,
            choices=constraint if isinstance(constraint, list) else None,
        )

    @property
    def row(self) -> Descriptor:
        """The descriptor."""
        constraint = self.range if self.range is not None else self.choices
        return (
            *(self.index, self.name, self.title, self.description),
            *(self.kind, self.unit, self.size, self.capabilities, constraint),
        )


class GetLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="call", tag="get"):
    """An option was read; left out where its value is known from the lines before."""

    option: str
    value: Value | None = None
    status: str = ""
    """The status of SANE where it failed, by its name, or a driver's own words."""


class SetLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="call", tag="set"):
    """An option was set."""

    option: str
    value: Value | None = None
    took: Value | None = None
    """The value that it has now, if it is another."""
    info: list[InfoName] = []
    status: str = ""


class StartLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="call", tag="start"):
    """A frame was begun."""

    before: Frame | None = None
    """What was announced before the first frame of a scan was begun."""
    status: str = ""


class FrameLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="call", tag="parameters"):
    """What was announced of the frame that was begun."""

    frame: Frame | None = None
    status: str = ""


class ReadLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="call", tag="read"):
    """How many bytes each read gave, as runs: the number, and how often it came; never the bytes."""

    sizes: list[tuple[Size, Count]] = []
    status: str = ""
    """How the frame ended; nothing where more was to come."""


class CancelLine(Struct, frozen=True, tag_field="call", tag="cancel"):
    """Whatever was started was ended."""


class CloseLine(Struct, frozen=True, tag_field="call", tag="close"):
    """The device was given back; it may be opened again."""


class EndLine(Struct, frozen=True, tag_field="call", tag="end"):
    """The last line: what does not have it is cut off."""


Line = OptionLine | GetLine | SetLine | StartLine | FrameLine | ReadLine | CancelLine | CloseLine | EndLine
_HEADS = msgspec.json.Decoder(Head)
_LINES: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Recording(Struct, frozen=True):
    """One recording, read and found whole."""

    head: Head
    lines: list[Line]


def located(name: str) -> Path:
    """The file of a recording: its own path, or the name of one that ships with Scanbus."""
    return Path(name) if name.endswith(".jsonl") else SHIPPED_FOLDER / f"{name}.jsonl"


def read_head(path: Path) -> Head:
    """The first line alone. Raises Offline where there is no such file, DriverFailed where it is none of ours."""
    return _head(path, next(iter(_text(path)), b""))


def read_recording(path: Path) -> Recording:
    """All of a recording. Raises Offline, or DriverFailed with the line that is wrong."""
    first, *rest = _text(path) or [b""]
    head = _head(path, first)
    lines: list[Line] = []
    for number, text in enumerate(rest, 2):
        try:
            lines.append(_LINES.decode(text))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _damaged(path, number, str(error)) from error
    if not lines or not isinstance(lines.pop(), EndLine):
        raise DriverFailed(f"The recording {path} is cut off: its last line is missing. Record it again.")
    return Recording(head, lines)


def _text(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise Offline(
            f"The recording {path} cannot be read ({error.strerror}). "
            "Correct `recording` below `device.virtual` in the configuration."
        ) from error


def _head(path: Path, text: bytes) -> Head:
    try:
        return _HEADS.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, 1, str(error)) from error


def _damaged(path: Path, number: int, what: str) -> DriverFailed:
    return DriverFailed(f"The recording {path} is damaged in line {number}: {what}. Record it again.")


def packed(value: OptionValue | None) -> Value | None:
    """An option's value as lines have it."""
    return [(number, len(list(run))) for number, run in groupby(value)] if isinstance(value, list) else value


def unpacked(value: Value, limit: int) -> OptionValue:
    """An option's value from a line; a list has at most `limit` numbers, however long its runs claim to be."""
    return [n for number, count in value for n in [number] * min(count, limit)] if isinstance(value, list) else value


def status_text(error: ScanbusError) -> str:
    """An error as lines have it."""
    status = status_of(error)
    return error.text if status is None else status.name.lower()


def error_from(text: str) -> ScanbusError:
    """The error that a line's `status` tells of."""
    known = {status.name.lower(): status for status in Status}
    return error_of(known[text]) if text in known else DriverFailed(text)


def info_names(info: SetInfo) -> list[InfoName]:
    """SANE's flags by name."""
    names: dict[SetInfo, InfoName] = {
        SetInfo.INEXACT: "inexact",
        SetInfo.RELOAD_OPTIONS: "reload_options",
        SetInfo.RELOAD_PARAMS: "reload_params",
    }
    return [name for flag, name in names.items() if flag in info]


def info_of(names: Iterable[InfoName]) -> SetInfo:
    """SANE's flags from their names."""
    return SetInfo(sum(SetInfo[name.upper()] for name in names))
