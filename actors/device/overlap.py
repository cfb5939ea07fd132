"""Which pages after a pause are sheets that were put back: without it, a jam would leave a gap or a repeat. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

PictureT = TypeVar("PictureT")


class Likeness(Enum):
    """Whether two pictures show the same side of the same sheet."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"
    """Both are nearly blank, or alike in black and white: nothing speaks against it, but too little for it."""


@dataclass(frozen=True)
class Repeat:
    """This image shows the page of that number again."""

    number: int


def expected(put_back: int, last: int, sides: int) -> int | None:
    """How many images repeat kept pages, of which `last` is the last, if so many sheets were put back; -1: None.

    The sheet that is missing comes after them. Of one with two sides the front may be kept: it comes again, too.
    """
    return None if put_back < 0 else put_back * sides + last % sides


class Overlap(Generic[PictureT]):
    """Decides, picture after picture; those that it cannot decide upon yet are held back by whoever asks.

    The sheets that were put back come first, in their old order, up to the last page that is kept: so many repeats
    (or none) are assumed as agree with every picture. What is nearly blank, or has a double among the kept pages, never
    speaks for a repeat: in doubt a page is new.
    """

    def __init__(
        self,
        kept: Mapping[int, PictureT],
        compare: Callable[[PictureT, PictureT], Likeness],
        last: int,
        *,
        sides: int = 1,
        put_back: int = -1,
    ) -> None:
        self._kept = kept
        self._compare = compare
        self._last = last
        self._rows: list[dict[int, Likeness]] = []
        """For each picture, how it compares with each kept page."""
        self.decided = not kept
        """Whether every further picture is new."""
        most = last - min(kept, default=last + 1) + 1
        self._counts = [count for count in range(1, most + 1) if (count - last) % sides == 0]
        told = expected(put_back, last, sides)
        self._told = told if told in self._counts else None

    def arrived(self, picture: PictureT) -> list[Repeat | int]:
        """What is known now of the pictures that were held back, oldest first: a repeat, or a page that is new.

        A new page is given as the number of the kept page that it resembles, or 0.
        """
        if self.decided:
            return [0]
        self._rows.append({number: self._compare(each, picture) for number, each in self._kept.items()})
        if self._told is not None and self._agrees(self._told):
            return self._say(self._told) if self._told <= len(self._rows) else []
        agreeing = [count for count in self._counts if self._agrees(count)]
        proven = [count for count in agreeing if count <= len(self._rows) and self._is_proven(count)]
        if not proven and any(count > len(self._rows) for count in agreeing):
            return []
        return self._say(max(proven, default=0))

    def ended(self) -> list[Repeat | int]:
        """There are no more pictures: what the rest of those that were held back is taken for."""
        if self.decided:
            return []
        agreeing = [count for count in self._counts if count > len(self._rows) and self._agrees(count)]
        likely = [count for count in agreeing if count == self._told or self._is_proven(count)]
        return self._say(max(likely, default=0))

    def _agrees(self, count: int) -> bool:
        return Likeness.DIFFERENT not in self._pairs(count)

    def _is_proven(self, count: int) -> bool:
        unique = (list(row.values()).count(Likeness.SAME) == 1 for row in self._rows)
        pairs = self._pairs(count)
        return any(pair is Likeness.SAME and only for pair, only in zip(pairs, unique, strict=False))

    def _pairs(self, count: int) -> list[Likeness]:
        """How the pictures compare with what they repeat if `count` do; a page that was removed compares with all."""
        first = self._last - count + 1
        return [row.get(first + index, Likeness.UNSURE) for index, row in enumerate(self._rows[:count])]

    def _say(self, count: int) -> list[Repeat | int]:
        self.decided = True
        verdicts: list[Repeat | int] = []
        for index, row in enumerate(self._rows):
            number = self._last - count + 1 + index
            if index < count and number in self._kept:
                verdicts.append(Repeat(number))
            else:
                verdicts.append(max((each for each, like in row.items() if like is Likeness.SAME), default=0))
        return verdicts
