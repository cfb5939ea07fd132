"""The comparer sees every letter that was added, is missing, changed or moved, and nothing else."""

import random
import re
import secrets
from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Raw, msgpack
from msgspec.structs import replace

from bus.codec import from_json, to_json
from bus.compare import ID, compare
from schemas.envelope import Envelope, Kind

PORTS = ("buffer#0000000a", "cache#0000000b", "driver/virtual:sample#0000000c")
NAMES = [f"{number:032x}" for number in range(4)]
"""Of sessions and pages."""
Causes = list[list[Envelope]]


@st.composite
def causes(draw: st.DrawFn) -> Causes:
    """What follows from some letters, each list in order."""
    made: Causes = []
    number = 0
    for _ in range(draw(st.integers(1, 5))):
        root, session = f"caller#0000000d.{len(made)}", draw(st.sampled_from(["", *NAMES]))
        letters = []
        for _ in range(draw(st.integers(1, 4))):
            number += 1
            port = draw(st.sampled_from(PORTS))
            body: dict[str, object] = {"type": "x.said", "number": draw(st.integers(0, 2))}
            if draw(st.booleans()):
                body["page"] = {"page_ids": draw(st.lists(st.sampled_from(NAMES), max_size=2))}
            letters.append(
                Envelope(
                    id=f"{port}.{number}",
                    kind=draw(st.sampled_from([Kind.PART, Kind.EVENT])),
                    to=draw(st.sampled_from(["", *PORTS])),
                    sender=port,
                    re=draw(st.sampled_from(["", root])),
                    trace=root,
                    session=session,
                    body=Raw(msgpack.encode(body)),
                )
            )
        made.append(letters)
    return made


def flat(made: Causes) -> list[Envelope]:
    return [letter for letters in made for letter in letters]


def shuffled(made: Causes, rng: random.Random) -> list[Envelope]:
    """In another order between the causes, each of which keeps its own."""
    queues = [list(letters) for letters in made]
    letters = []
    while queues := [queue for queue in queues if queue]:
        letters.append(rng.choice(queues).pop(0))
    return letters


def renamed(letters: list[Envelope]) -> list[Envelope]:
    """With other ids everywhere."""
    names: dict[str, str] = {}

    def other(found: "re.Match[str]") -> str:
        unlike = f"{secrets.token_hex(4)}.{len(names)}" if "." in found[0] else secrets.token_hex(len(found[0]) // 2)
        return names.setdefault(found[0], unlike)

    return [from_json(ID.sub(other, to_json(letter).decode()).encode()) for letter in letters]


def again(made: Causes, rng: random.Random) -> list[Envelope]:
    return renamed(shuffled(made, rng))


@given(causes(), st.randoms())
def test_other_ids_times_and_orders_of_causes_are_no_difference(made: Causes, rng: random.Random) -> None:
    later = [replace(letter, ttl=rng.random()) for letter in again(made, rng)]
    assert compare(flat(made), later) == []


@given(causes(), st.randoms())
def test_a_letter_that_is_missing_or_added_is_reported(made: Causes, rng: random.Random) -> None:
    less = [list(letters) for letters in made]
    letters = rng.choice(less)
    letters.pop(rng.randrange(len(letters)))
    assert "missing" in {each.what for each in compare(flat(made), again(less, rng))}
    assert "added" in {each.what for each in compare(flat(less), again(made, rng))}


@given(causes(), st.randoms())
def test_a_changed_field_is_reported(made: Causes, rng: random.Random) -> None:
    letters = rng.choice(made)
    at = rng.randrange(len(letters))
    before = flat(made)
    body = msgpack.decode(letters[at].body)
    changes: list[dict[str, object]] = [
        {"body": Raw(msgpack.encode({**body, "number": 9}))},
        {"body": Raw(msgpack.encode({**body, "extra": None}))},
        {"body": Raw(msgpack.encode({"type": "x.said"}))},
        {"kind": Kind.REPLY},
        {"to": "elsewhere"},
        {"tries": 2},
        {"sender": "pdf#0000000a"},
    ]
    letters[at] = replace(letters[at], **rng.choice(changes))
    assert compare(before, again(made, rng)) != []


@given(causes(), st.randoms())
def test_an_id_that_is_another_one_in_one_place_is_reported(made: Causes, rng: random.Random) -> None:
    text = [to_json(letter).decode() for letter in flat(made)]
    often = [name for name, count in Counter(ID.findall("".join(text))).items() if count > 1]
    assume(often)
    name = rng.choice(often)
    places = [(at, found.span()) for at, line in enumerate(text) for found in ID.finditer(line) if found[0] == name]
    at, (begin, end) = rng.choice(places)
    other = "00000ffe.1" if "." in name else name[:-4] + "fffe"
    changed = [*text]
    changed[at] = text[at][:begin] + other + text[at][end:]
    letters = [from_json(line.encode()) for line in changed]
    assert compare(flat(made), renamed(letters)) != []


@given(causes(), st.randoms())
def test_two_letters_that_changed_places_within_their_cause_are_reported(made: Causes, rng: random.Random) -> None:
    before = flat(made)
    places = [
        (letters, at)
        for letters in made
        for at in range(len(letters) - 1)
        if ID.sub("", to_json(letters[at]).decode()) != ID.sub("", to_json(letters[at + 1]).decode())
    ]
    assume(places)
    letters, at = rng.choice(places)
    letters[at], letters[at + 1] = letters[at + 1], letters[at]
    assert compare(before, again(made, rng)) != []


def about(number: int, page: str) -> Envelope:
    """The only letter of its cause."""
    body = Raw(msgpack.encode({"type": "x.said", "page_id": page}))
    return Envelope(id=f"{PORTS[0]}.{number}", kind=Kind.EVENT, trace=f"caller#0000000d.{number}", body=body)


def test_causes_that_are_alike_are_told_apart_by_where_else_their_ids_appear() -> None:
    before = [about(1, NAMES[0]), about(2, NAMES[1]), about(3, NAMES[0])]
    later = [about(1, NAMES[1]), about(2, NAMES[0]), about(3, NAMES[0])]
    assert compare(before, renamed(later)) == []
    assert compare(before, renamed([about(1, NAMES[0]), about(2, NAMES[1]), about(3, NAMES[2])])) != []


def test_ids_that_are_known_must_stay_the_same() -> None:
    before, later = [about(1, NAMES[0]), about(2, NAMES[1])], [about(1, NAMES[1]), about(2, NAMES[0])]
    assert compare(before, later) == []
    known = {*NAMES, "0000000d.1", "0000000d.2"}
    assert [str(each).splitlines()[1] for each in compare(before, later, known)] == [
        f'    body.page_id: "{NAMES[0]}" -> "{NAMES[1]}"',
        f'    body.page_id: "{NAMES[1]}" -> "{NAMES[0]}"',
    ]


def test_what_differs_can_be_read() -> None:
    letter = Envelope(
        id=f"{PORTS[0]}.1", kind=Kind.REPLY, trace="caller#0000000d.1", body=Raw(msgpack.encode({"type": "x", "n": 1}))
    )
    other = replace(letter, body=Raw(msgpack.encode({"type": "x", "n": 2})))
    assert [str(each) for each in compare([letter], [other])] == [
        "changed: reply x after caller#0000000d.1\n    body.n: 1 -> 2"
    ]
    assert str(compare([letter], [])[0]).startswith("missing: reply x after caller#0000000d.1\n")
