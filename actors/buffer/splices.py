"""What differs between two orders, as one splice: small for one page among ten thousand."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from schemas.buffer import SHOWN_IDS, Change


def splice(old: Sequence[str], new: Sequence[str]) -> tuple[int, list[str], list[str]]:
    """Where they begin to differ, and what stands there in each up to where they are the same again."""
    if old == new:
        return 0, [], []
    at = _common(old, new)
    end = _common(old[at:][::-1], new[at:][::-1])
    return at, list(old[at : len(old) - end]), list(new[at : len(new) - end])


def shortened(changes: Iterable[Change]) -> list[Change]:
    """The same changes; where all of them would list too many ids, some are `whole` instead."""
    left = SHOWN_IDS
    kept = []
    for change in changes:
        ids = len(change.before) + len(change.after) + len(change.touched)
        if ids > left:
            change = replace(change, at=0, before=[], after=[], touched=[], whole=True)
        else:
            left -= ids
        kept.append(change)
    return kept


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How long the same beginning is; halving compares slices, which is far faster than item by item."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
