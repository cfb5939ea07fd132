"""What two lists of letters differ in: without it, no run would be like another, as ids and scheduling never are."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope

ID = re.compile(r'(?:(?<=#)|(?<="broker-))[0-9a-f]{8}(?:\.\d+)?(?![0-9a-f])|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])')
"""In a letter's JSON: what makes a port or a letter unique, and the names of sessions, pages, jobs and blobs."""
_TIMES = {"ttl"}
_MOMENT = re.compile(r'(?<=_at":)\d+(\.\d+)?(e\+?\d+)?')
"""When something happened: a field whose name ends with `_at`."""
_encoder = msgspec.json.Encoder(order="sorted")
_ABSENT = object()
_GAP = "\0"
"""JSON has no such character."""


class Difference(Struct, frozen=True):
    """One letter that is not as it was; ids are numbered in the order in which they appear."""

    what: Literal["missing", "added", "changed", "moved"]
    cause: str
    """The id of the letter that it follows from, as recorded if it was."""
    recorded: dict[str, Any] | None
    replayed: dict[str, Any] | None

    def __str__(self) -> str:
        """For eyes: what differs, then the letter or the fields."""
        letter = self.recorded or self.replayed or {}
        body = letter.get("body")
        said = body.get("type", "") if isinstance(body, dict) else ""
        head = f"{self.what}: {letter.get('kind', '')} {said} after {self.cause}".replace("  ", " ")
        if self.what == "changed":
            fields = _fields(self.recorded, self.replayed, "")
            return "\n".join([head, *(f"    {path}: {_short(old)} -> {_short(new)}" for path, old, new in fields)])
        return f"{head}\n    {_short(letter)}"


class _Letter:
    """A letter as its text, with `_GAP` for every id, and the ids; those that are known stay in the text."""

    def __init__(self, letter: Envelope, known: Collection[str]) -> None:
        self.ids: list[str] = []

        def gap(found: re.Match[str]) -> str:
            if found[0] in known:
                return found[0]
            self.ids.append(found[0])
            return _GAP

        body = msgspec.msgpack.decode(letter.body)
        self.said = (letter.kind, body.get("type", "") if isinstance(body, dict) else "")
        fields = {name: getattr(letter, name) for name in Envelope.__struct_fields__ if name not in _TIMES}
        self.text = ID.sub(gap, _MOMENT.sub("0", _encoder.encode({**fields, "body": body}).decode()))

    def show(self, name: Callable[[str], str]) -> dict[str, Any]:
        """Its fields, ids by other names."""
        pieces = zip(self.text.split(_GAP), [*map(name, self.ids), ""], strict=True)
        return msgspec.json.decode("".join(piece for pair in pieces for piece in pair), type=dict[str, Any])


class _Cause:
    """The letters that follow from one; `form` is what they are like apart from ids."""

    def __init__(self, key: str, side: int) -> None:
        self.key = key
        self.side = side
        self.letters: list[_Letter] = []
        self.kin: object = None
        """Equal for causes that stand at the same place among all others."""

    def close(self) -> None:
        """All letters are there."""
        self.ids = [each for letter in self.letters for each in letter.ids]
        first = {each: at for at, each in reversed([*enumerate(self.ids)])}
        self.form = (tuple(letter.text for letter in self.letters), tuple(first[each] for each in self.ids))


class _Names:
    """Which recorded id became which."""

    def __init__(self) -> None:
        self.there: dict[str, str] = {}
        self.back: dict[str, str] = {}

    def allow(self, old: Sequence[str], new: Sequence[str]) -> bool:
        return all(self.there.get(a, b) == b and self.back.get(b, a) == a for a, b in zip(old, new, strict=True))

    def bind(self, old: Sequence[str], new: Sequence[str]) -> None:
        for a, b in zip(old, new, strict=True):
            if a not in self.there and b not in self.back:
                self.there[a], self.back[b] = b, a


def compare(
    recorded: Iterable[Envelope], replayed: Iterable[Envelope], known: Collection[str] = ()
) -> list[Difference]:
    """All letters that were added, are missing, changed or moved within their cause; empty where all is as it was.

    A cause is the letter that others follow from; causes have no order among each other. Ids are names: what counts
    is where the same one appears again; `known` are ids that mean the same in both lists. Times are left out (`ttl`),
    nothing else is.
    """
    old, new = _causes(recorded, 0, known), _causes(replayed, 1, known)
    order = {each.key: at for at, each in enumerate(old)}
    _find_kin([*old, *new])
    names = _Names()
    pairs: list[tuple[_Cause, _Cause]] = []
    alike: list[Callable[[_Cause, _Cause], bool]] = [
        lambda a, b: a.kin == b.kin and names.allow(a.ids, b.ids),
        lambda a, b: a.form == b.form and names.allow(a.ids, b.ids),
        lambda a, b: a.key == b.key,
        lambda a, b: a.letters[0].text == b.letters[0].text,
    ]
    for level in alike:
        rest: list[_Cause] = []
        while old:
            # Those whose ids are known come first, so that a name that is open is settled by its neighbors.
            cause = max(old, key=lambda each: sum(each_id in names.there for each_id in each.ids))
            old.remove(cause)
            fitting = [each for each in new if level(cause, each)]
            if not fitting:
                rest.append(cause)
                continue
            partner = max(fitting, key=lambda each: len({*cause.ids} & {*each.ids}))
            new.remove(partner)
            pairs.append((cause, partner))
            for a, b in _aligned(cause, partner):
                names.bind(a.ids, b.ids)
        old = rest
    numbers: dict[str, int] = {}
    pairs.sort(key=lambda pair: order[pair[0].key])
    differences = [each for pair in pairs for each in _differ(*pair, names, numbers)]
    for cause in old:
        differences += [_one("missing", cause.key, each, names, numbers) for each in cause.letters]
    for cause in new:
        differences += [_one("added", cause.key, each, names, numbers) for each in cause.letters]
    return differences


def _causes(letters: Iterable[Envelope], side: int, known: Collection[str]) -> list[_Cause]:
    causes: dict[str, _Cause] = {}
    of: dict[str, str] = {}
    for letter in letters:
        # The broker's own letters name only what they answer.
        key = of[letter.id] = letter.trace or of.get(letter.re, letter.re) or letter.id
        causes.setdefault(key, _Cause(key, side)).letters.append(_Letter(letter, known))
    for cause in causes.values():
        cause.close()
    return list(causes.values())


def _find_kin(causes: list[_Cause]) -> None:
    """Tell apart causes of the same form by what else their ids appear in, and so on (color refinement)."""
    numbers: dict[object, int] = {}
    colors: dict[tuple[int, str], int] = {}
    count = -1
    while count != len(set(colors.values())):
        count = len(set(colors.values()))
        places: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
        for cause in causes:
            shades = tuple(colors.get((cause.side, each), 0) for each in cause.ids)
            cause.kin = kin = numbers.setdefault((cause.form, shades), len(numbers))
            for at, each in enumerate(cause.ids):
                places[cause.side, each].append((kin, at))
        colors = {key: numbers.setdefault(tuple(sorted(where)), len(numbers)) for key, where in places.items()}


def _aligned(a: _Cause, b: _Cause) -> Iterator[tuple[_Letter, _Letter]]:
    """The letters of both that stand for each other: of the same text, or at least with as many ids between such."""
    matcher = SequenceMatcher(None, [each.text for each in a.letters], [each.text for each in b.letters], False)
    for _, i, j, k, m in sorted(matcher.get_opcodes(), key=lambda each: each[0] != "equal"):
        for old, new in zip(a.letters[i:j], b.letters[k:m], strict=False):
            if len(old.ids) == len(new.ids):
                yield old, new


def _differ(a: _Cause, b: _Cause, names: _Names, numbers: dict[str, int]) -> Iterator[Difference]:
    old = [each.show(lambda name: _number(name, numbers)) for each in a.letters]
    new = [each.show(lambda name: _number(names.back.get(name, f"new {name}"), numbers)) for each in b.letters]
    matcher = SequenceMatcher(None, [*map(_encoder.encode, old)], [*map(_encoder.encode, new)], False)
    gone: list[int] = []
    come: list[int] = []
    for how, i, j, k, m in matcher.get_opcodes():
        if how != "equal":
            gone += range(i, j)
            come += range(k, m)
    alike: Callable[[_Letter, _Letter], bool]
    for alike in (lambda one, other: one.text == other.text, lambda one, other: one.said == other.said):
        for at in list(gone):
            to = next((each for each in come if alike(a.letters[at], b.letters[each])), -1)
            if to >= 0:
                gone.remove(at)
                come.remove(to)
                moved = old[at] in new or (a.letters[at].text == b.letters[to].text and at != to)
                yield Difference("moved" if moved else "changed", a.key, old[at], new[to])
    for at in gone:
        yield Difference("missing", a.key, old[at], None)
    for at in come:
        yield Difference("added", a.key, None, new[at])


def _one(
    what: Literal["missing", "added"], cause: str, letter: _Letter, names: _Names, numbers: dict[str, int]
) -> Difference:
    shown = letter.show(lambda name: _number(names.back.get(name, name), numbers))
    return Difference(what, cause, shown if what == "missing" else None, shown if what == "added" else None)


def _number(name: str, numbers: dict[str, int]) -> str:
    return f"<{numbers.setdefault(name, len(numbers) + 1)}>"


def _fields(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _fields(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{path}.{name}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _fields(one, other, f"{path}[{at}]")
    elif old != new:
        yield path, old, new


def _short(value: Any) -> str:
    text = "(none)" if value is _ABSENT else msgspec.json.encode(value).decode()
    return text if len(text) <= 300 else text[:300] + "..."
