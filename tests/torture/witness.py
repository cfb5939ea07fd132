"""What a client was told of its pages: without it, nobody could say that one is lost, doubled or out of order."""

import random
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from scanbus.client import Page


class Seen(NamedTuple):
    """A page as the service tells of it."""

    page_id: str
    number: int
    image: str
    """Name of its blob: two that are equal have equal content."""
    rotation_degrees: int = 0
    tags: tuple[str, ...] = ()


class Edit(NamedTuple):
    """Something done to pages: what is asked for, and what becomes of them."""

    request: dict[str, Any]
    apply: Callable[[list[Seen]], list[Seen]]


class Witness:
    """The pages of one scan in one document, in order, as far as somebody was told; two threads tell it."""

    def __init__(self) -> None:
        self.pages: list[Seen] = []
        self.top = 0
        """The highest number that was ever seen."""
        self.wrong: list[str] = []
        self._gone: set[str] = set()
        self._doubt: Edit | None = None
        self._lock = threading.Lock()

    def tell(self, page: Page) -> None:
        """The service says that this page is durable."""
        new = _seen(page)
        with self._lock:
            known = next((each for each in self.pages if each.page_id == new.page_id), None)
            if known is not None:
                if (known.number, known.image) != (new.number, new.image):
                    self.wrong.append(f"{known} became {new}")
            elif new.page_id not in self._gone:
                if new.number != self.top + 1:
                    self.wrong.append(f"page {new.number} was told after page {self.top}")
                self._add([new])

    def edit(self, edit: Edit, *, certain: bool) -> None:
        """This was done; or, if it is not certain, it was done whole or not at all, which the next look shows."""
        with self._lock:
            if certain:
                self._apply(edit)
            else:
                self._doubt = edit

    def look(self, ask: Callable[[], list[Page]]) -> None:
        """Compare with what the service says; what it says is known from now on. Raises AssertionError."""
        with self._lock:
            before = list(self.pages)
            top = self.top
        found = [_seen(page) for page in ask()]
        with self._lock:
            assert not self.wrong, self.wrong
            later = [page for page in self.pages if page not in before]
            if self._doubt is not None and found[: len(before)] != before:
                self._apply(self._doubt)
                before = [page for page in self.pages if page not in later]
            self._doubt = None
            assert found[: len(before)] == before, _difference(before, found)
            new = found[len(before) :]
            numbers = [page.number for page in new]
            assert numbers == list(range(top + 1, top + 1 + len(new))), f"after page {top} there is {numbers}"
            told = [page for page in later if page.number <= top + len(new)]
            assert told == new[: len(told)], f"{told} was told, there is {new}"
            self._add(new[len(told) :])

    def _apply(self, edit: Edit) -> None:
        after = edit.apply(self.pages)
        self._gone |= {page.page_id for page in self.pages} - {page.page_id for page in after}
        self.pages = after

    def _add(self, pages: list[Seen]) -> None:
        self.pages = self.pages + pages
        self.top = max([self.top, *(page.number for page in pages)])


def some_edit(chance: random.Random, pages: list[Seen]) -> Edit:
    """Something that a person could do to these pages while more of them come."""
    chosen = chance.sample(pages, min(len(pages), chance.randint(1, 3)))
    ids = [page.page_id for page in chosen]

    def each(change: Callable[[Seen], Seen]) -> Callable[[list[Seen]], list[Seen]]:
        return lambda known: [change(page) if page.page_id in ids else page for page in known]

    match chance.choice(["rotate", "rotate", "tag", "tag", "move", "move", "remove"]):
        case "rotate":
            degrees = chance.choice([90, 180, 270])
            return Edit(
                {"kind": "buffer.rotate", "page_ids": ids, "degrees": degrees},
                each(lambda page: page._replace(rotation_degrees=(page.rotation_degrees + degrees) % 360)),
            )
        case "tag":
            word = chance.choice(["invoice", "letter", "contract"])
            return Edit(
                {"kind": "buffer.tag", "page_ids": ids, "add": [word]},
                each(lambda page: page if word in page.tags else page._replace(tags=(*page.tags, word))),
            )
        case "move":
            position = chance.randint(0, len(pages) - len(ids))
            return Edit(
                {"kind": "buffer.move", "page_ids": ids, "position": position},
                lambda known: _moved(known, ids, position),
            )
        case _:
            return Edit(
                {"kind": "buffer.remove", "page_ids": ids[:1]},
                lambda known: [page for page in known if page.page_id != ids[0]],
            )


def _moved(known: list[Seen], ids: list[str], position: int) -> list[Seen]:
    moved = [next(page for page in known if page.page_id == page_id) for page_id in ids]
    rest = [page for page in known if page.page_id not in ids]
    return rest[:position] + moved + rest[position:]


def _seen(page: Page) -> Seen:
    image: Any = page["image"]
    return Seen(
        page["page_id"],
        page.get("number", 0),
        image["blob"]["name"],
        page.get("rotation_degrees", 0),
        tuple(page.get("tags", [])),
    )


def _difference(before: list[Seen], found: list[Seen]) -> str:
    at = next((at for at, page in enumerate(before) if at >= len(found) or found[at] != page), 0)
    return (
        f"of {len(before)} known pages, the one at {at} was {before[at : at + 1]}; "
        f"now it is {found[at : at + 1]}, of {len(found)}"
    )
