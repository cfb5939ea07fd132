"""What waits for a slow browser."""

import json
from typing import Any

from gateway.letters import Letter
from gateway.outbox import LIMIT_BYTES, OVERFLOW_FACTOR, Outbox
from schemas.buffer import Change, Changed, Pages
from schemas.device import DeviceLost, Progress
from schemas.envelope import Kind
from schemas.errors import Failure

CHANGED = Changed(change=Change(document_id="d", revision=1))


def progress(re: str, fraction: float) -> Letter:
    return Letter(kind=Kind.PART, re=re, body=Progress(number=1, fraction=fraction))


def reply(re: str) -> Letter:
    return Letter(kind=Kind.REPLY, re=re, body=Pages(pages=[]))


def taken(outbox: Outbox) -> list[dict[str, Any]]:
    letters = []
    while (data := outbox.take()) is not None:
        letters.append(json.loads(data))
    return letters


def test_only_the_newest_progress_of_a_request_waits() -> None:
    outbox = Outbox(10)
    for letter in (progress("1", 0.1), progress("2", 0.5), reply("3"), progress("1", 0.9)):
        outbox.put(letter)
    assert [(letter["re"], letter["body"].get("fraction")) for letter in taken(outbox)] == [
        ("2", 0.5),
        ("3", None),
        ("1", 0.9),
    ]


def test_progress_that_was_taken_does_not_replace_anything() -> None:
    outbox = Outbox(10)
    outbox.put(progress("1", 0.1))
    assert outbox.take()
    outbox.put(progress("1", 0.2))
    outbox.put(reply("1"))
    assert [letter["kind"] for letter in taken(outbox)] == ["part", "reply"]


def test_a_full_outbox_drops_the_oldest_events_and_remembers_it() -> None:
    outbox = Outbox(3)
    for number in range(3):
        outbox.put(Letter(kind=Kind.EVENT, body=DeviceLost(device_id=str(number))))
    outbox.put(reply("1"))
    outbox.put(reply("2"))
    assert outbox.missed_events == 2
    assert [letter["body"].get("device_id") for letter in taken(outbox)] == ["2", None, None]


def test_an_event_that_was_taken_is_not_counted_as_missed() -> None:
    outbox = Outbox(1)
    outbox.put(Letter(kind=Kind.EVENT, body=CHANGED))
    outbox.put(reply("1"))
    assert outbox.missed_events == 1
    assert len(taken(outbox)) == 1
    outbox.put(Letter(kind=Kind.EVENT, body=CHANGED))
    assert len(taken(outbox)) == 1
    outbox.put(reply("2"))
    outbox.put(reply("3"))
    assert outbox.missed_events == 1


def test_replies_are_never_dropped_until_there_are_far_too_many() -> None:
    outbox = Outbox(2)
    for number in range(2 * OVERFLOW_FACTOR):
        outbox.put(reply(str(number)))
    assert not outbox.overflowed
    assert [letter["re"] for letter in taken(outbox)] == [str(number) for number in range(2 * OVERFLOW_FACTOR)]
    for number in range(2 * OVERFLOW_FACTOR + 1):
        outbox.put(reply(str(number)))
    assert outbox.overflowed
    outbox.clear()
    assert not outbox.overflowed
    assert outbox.take() is None


def test_few_but_huge_letters_are_too_many_as_well() -> None:
    outbox = Outbox(1000)
    huge = Letter(kind=Kind.REPLY, body=Failure(code="internal", text="x" * (LIMIT_BYTES // 2)))
    outbox.put(huge)
    assert not outbox.overflowed
    outbox.put(huge)
    assert outbox.overflowed
    outbox.take()
    outbox.take()
    assert not outbox.overflowed
