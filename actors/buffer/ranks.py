"""Sparse numbers for an order: without them, a page put between two others would rewrite all that follow."""

from collections.abc import Callable, Collection, Sequence
from itertools import groupby

END_STEP = 1 << 32
"""Between pages that came one after another."""
STEP = 1 << 16
"""Between pages that were put between others: small, so that many more find room after them."""
LIMIT = 1 << 62
"""SQLite's integers have 64 bits."""


def ranks(
    order: Sequence[str], at: int, count: int, rank_of: Callable[[str], int], placed: Collection[str]
) -> dict[str, int]:
    """New ranks that put `order` in order: for those of `placed`, or for all of it where there is no room.

    All that is placed lies among the `count` ids from `at` on; the others have a rank and are in order.
    """
    found: dict[str, int] = {}
    for new, run in groupby(order[at : at + count], placed.__contains__):
        ids = list(run)
        if new:
            before = rank_of(order[at - 1]) if at else None
            after = rank_of(order[at + len(ids)]) if at + len(ids) < len(order) else None
            first, step = _room(before, after, len(ids))
            if not step:
                return {each: END_STEP * number for number, each in enumerate(order)}
            found |= {each: first + step * number for number, each in enumerate(ids)}
        at += len(ids)
    return found


def _room(before: int | None, after: int | None, count: int) -> tuple[int, int]:
    """The first of so many ranks between two, and the step to the next; a step of 0 where there is no room."""
    if before is None and after is None:
        first, step = 0, END_STEP
    elif after is None:
        first, step = (before or 0) + END_STEP, END_STEP
    elif before is None:
        first, step = after - STEP * count, STEP
    else:
        step = min(STEP, (after - before) // (count + 1))
        first = before + step
    return first, step if max(abs(first), abs(first + step * count)) < LIMIT else 0
