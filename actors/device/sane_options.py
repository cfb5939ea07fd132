"""A SANE device's options as typed values: without it, all users of an option would have to know its bytes."""

import struct
from enum import IntEnum, IntFlag
from math import isfinite
from typing import Protocol

from msgspec import Struct

from schemas.device import Option, OptionType, OptionValue, Range
from schemas.errors import Invalid, Unsupported

_UNITS = ("", "px", "bit", "mm", "dpi", "percent", "us")
_FIXED_ONE = 1 << 16
_HALF_FIXED_STEP = 0.5 / _FIXED_ONE
_WORD_MAXIMUM = (1 << 31) - 1
_SOFT_SELECT, _SOFT_DETECT, _INACTIVE = 1, 4, 32


class Kind(IntEnum):
    """SANE's value types, by their number in its interface."""

    BOOL = 0
    INT = 1
    FIXED = 2
    STRING = 3
    BUTTON = 4
    GROUP = 5


class SetInfo(IntFlag):
    """What SANE says when an option was set."""

    INEXACT = 1
    """Another value than the one asked for was taken."""
    RELOAD_OPTIONS = 2
    """Other options may have changed."""
    RELOAD_PARAMS = 4
    """The image's parameters may have changed."""


class SaneOption(Struct, frozen=True, kw_only=True):
    """One option as the device describes it now; another option may change it."""

    index: int
    name: str
    kind: Kind
    title: str = ""
    description: str = ""
    unit: str = ""
    size: int = 4
    """Bytes of a value."""
    active: bool = True
    settable: bool = True
    readable: bool = True
    range: Range | None = None
    choices: list[int | float | str] = []

    @property
    def length(self) -> int:
        """How many numbers a value has."""
        return max(1, self.size // 4) if self.kind in (Kind.INT, Kind.FIXED) else 1

    @property
    def offered(self) -> bool:
        """Whether it can be set now."""
        return self.active and self.settable

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest number that it takes; None where it does not say."""
        if self.range:
            return self.range.minimum, self.range.maximum
        numbers = [choice for choice in self.choices if not isinstance(choice, str)]
        return (min(numbers), max(numbers)) if numbers else None

    @property
    def possible(self) -> str:
        """What can be asked for, in words: `1 to 1200`, or `Gray, Color`."""
        if self.range:
            each = f"{self.range.minimum:g} to {self.range.maximum:g}"
        elif self.choices:
            each = ", ".join(choice if isinstance(choice, str) else f"{choice:g}" for choice in self.choices)
        elif self.kind == Kind.STRING:
            each = f"text of at most {self.size - 1} characters"
        else:
            each = "a number" if self.kind in (Kind.INT, Kind.FIXED) else "true or false"
        return each if self.length == 1 else f"{self.length} numbers, each {each}"

    def takes(self, value: OptionValue) -> bool:
        """Whether a value has the right type and meets the constraint."""
        if self.kind in (Kind.BOOL, Kind.BUTTON):
            return isinstance(value, bool)
        if self.kind == Kind.STRING:
            return (
                isinstance(value, str)
                and "\0" not in value
                and all(ord(character) < 256 for character in value)
                and len(value) < self.size
                and (not self.choices or value in self.choices)
            )
        values = value if isinstance(value, list) else [value]
        return len(values) == self.length and all(self._takes_number(number) for number in values)

    def _takes_number(self, number: bool | int | float | str) -> bool:
        if isinstance(number, bool | str) or not isfinite(number) or (self.kind == Kind.INT and number != int(number)):
            return False
        if self.range:
            return self.range.minimum - _HALF_FIXED_STEP <= number <= self.range.maximum + _HALF_FIXED_STEP
        if self.choices:
            return any(
                abs(number - choice) <= _HALF_FIXED_STEP for choice in self.choices if not isinstance(choice, str)
            )
        return abs(number) <= (_WORD_MAXIMUM / _FIXED_ONE if self.kind == Kind.FIXED else _WORD_MAXIMUM)

    def check(self, value: OptionValue, setting: str = "") -> None:
        """Raise Unsupported where it cannot be set now, or not to this value; the text says what can.

        `setting` is the name by which the caller knows the option.
        """
        name = setting or self.name
        if not self.settable:
            raise Unsupported(f"{name} can only be read on this scanner.")
        if not self.active:
            raise Unsupported(f"{name} is not possible now: another setting has to switch it on.")
        if not self.takes(value):
            shown = value if not isinstance(value, list) else f"with these {len(value)} numbers"
            raise Unsupported(f"{name} {shown} is not possible: {self.possible}.")

    def nearest(self, number: float) -> float:
        """The number that it takes and that is closest to `number`."""
        numbers = [choice for choice in self.choices if not isinstance(choice, str)]
        if numbers:
            return min(numbers, key=lambda choice: abs(choice - number))
        low, high = self.bounds or (number, number)
        number = min(max(number, low), high)
        return number if self.kind == Kind.FIXED else round(number)

    def encode(self, value: OptionValue) -> bytearray:
        """A checked value as the bytes that SANE takes."""
        if self.kind == Kind.STRING:
            return bytearray(str(value).encode("latin-1").ljust(self.size, b"\0"))
        if self.kind == Kind.BUTTON:
            return bytearray(max(self.size, 4))
        scale = _FIXED_ONE if self.kind == Kind.FIXED else 1
        numbers = value if isinstance(value, list) else [value]
        # A range may end at the largest fixed point, which its decimal form can exceed by rounding.
        words = [min(round(float(number) * scale), _WORD_MAXIMUM) for number in numbers]
        return bytearray(struct.pack(f"={self.length}i", *words)).ljust(self.size, b"\0")

    def decode(self, raw: bytes) -> OptionValue | None:
        """The value that SANE gave; None for a button."""
        if self.kind == Kind.STRING:
            return raw.split(b"\0", 1)[0].decode("latin-1")
        if self.kind == Kind.BUTTON:
            return None
        words = struct.unpack(f"={self.length}i", raw[: 4 * self.length])
        if self.kind == Kind.BOOL:
            return bool(words[0])
        # Five decimals tell all fixed points apart, without the noise of their binary fractions.
        numbers = [round(word / _FIXED_ONE, 5) if self.kind == Kind.FIXED else word for word in words]
        return numbers if self.length > 1 else numbers[0]

    def described(self, value: OptionValue | None) -> Option:
        """The option, with its value, in the field's terms."""
        lists = {Kind.INT: OptionType.INT_LIST, Kind.FIXED: OptionType.FLOAT_LIST}
        names = {
            Kind.BOOL: OptionType.BOOL,
            Kind.INT: OptionType.INT,
            Kind.FIXED: OptionType.FLOAT,
            Kind.STRING: OptionType.STRING,
            Kind.BUTTON: OptionType.BUTTON,
        }
        return Option(
            name=self.name,
            type=lists.get(self.kind, names[self.kind]) if self.length > 1 else names[self.kind],
            title=self.title,
            description=self.description,
            unit=self.unit,
            value=value,
            choices=self.choices,
            range=self.range,
            length=self.length,
            active=self.active,
            settable=self.settable,
        )


Descriptor = tuple[int, str | None, str | None, str | None, int, int, int, int, object]
"""An option as python-sane gives it: index, name, title, description, type, unit, size, capabilities, constraint."""


def option_of(row: Descriptor) -> SaneOption:
    """One of python-sane's descriptors, by name."""
    index, name, title, description, kind, unit, size, capabilities, constraint = row
    limits = constraint if isinstance(constraint, tuple) else None
    return SaneOption(
        index=index,
        name=name or "",
        kind=Kind(kind),
        title=title or "",
        description=description or "",
        unit=_UNITS[unit] if 0 <= unit < len(_UNITS) else "",
        size=size,
        active=not capabilities & _INACTIVE,
        settable=bool(capabilities & _SOFT_SELECT),
        readable=bool(capabilities & _SOFT_DETECT),
        range=Range(minimum=limits[0], maximum=limits[1], step=limits[2]) if limits else None,
        choices=constraint if isinstance(constraint, list) else [],
    )


class Controls(Protocol):
    """The bare options of an open device."""

    def descriptors(self) -> list[Descriptor]:
        """All options as they are now, groups included."""

    def get_value(self, index: int, size: int) -> bytes:
        """An option's value."""

    def set_value(self, index: int, raw: bytearray) -> SetInfo:
        """Set an option; `raw` becomes the value that was taken."""


class Panel:
    """A device's options by name, each as it is now, and the way back to what they were at first."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._original: dict[str, OptionValue] = {}
        self._reload()

    def _reload(self) -> None:
        found = [option_of(row) for row in self._controls.descriptors()]
        # Option 0, SANE's count of the options, has no name: nothing without one can be asked for.
        self.options = {option.name: option for option in found if option.name and option.kind != Kind.GROUP}

    def offers(self, name: str) -> bool:
        """Whether the device has this option, and it can be set now."""
        return name in self.options and self.options[name].offered

    def get(self, name: str) -> OptionValue | None:
        """The value now; None where the option is inactive, has none, or keeps it to itself."""
        option = self.options[name]
        if not (option.active and option.readable) or option.kind == Kind.BUTTON:
            return None
        return option.decode(self._controls.get_value(option.index, option.size))

    def set(self, name: str, value: OptionValue, setting: str = "") -> None:
        """Set an option, or press a button (True). Raises Unsupported, which names the `setting`; or a DeviceError."""
        if name not in self.options:
            raise Unsupported(f"{name} is no option of this scanner.")
        option = self.options[name]
        option.check(value, setting)
        before = self.get(name)
        if before is not None:
            self._original.setdefault(name, before)
        elif option.kind == Kind.BUTTON and value is False:
            return
        if before == value:
            return
        try:
            info = self._controls.set_value(option.index, option.encode(value))
        except Invalid as error:
            raise Unsupported(f"{setting or name} {value} was refused by the scanner: choose another value.") from error
        if info & SetInfo.RELOAD_OPTIONS:
            self._reload()

    def restore(self) -> None:
        """Give every option that was ever set here the value that it had at first, as far as it takes it now."""
        # Last first: switching an option off puts those behind it out of reach.
        for name in sorted(self._original, key=lambda name: -self.options[name].index if name in self.options else 0):
            if self.offers(name) and self.options[name].takes(self._original[name]):
                self.set(name, self._original[name])
