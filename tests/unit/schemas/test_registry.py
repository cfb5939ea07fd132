"""What must be true of every message, whoever adds the next one."""

import re
from collections import Counter
from typing import Annotated

import pytest
from msgspec import Meta, Struct, inspect

from bus.actor import answers
from schemas import registry
from schemas.message import Event, Message, Private, Request, tag_of


class Leaf(Struct):
    word: Private = ""
    number: int = 0
    again: "list[Leaf]" = []


def _below(kind: type[Message]) -> list[type[Message]]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]


registry.messages()
EVERY = [kind for kind in _below(Message) if kind.__module__.startswith("schemas.") and kind not in (Request, Event)]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_tag_is_the_service_and_the_name_in_snake_case(kind: type[Message]) -> None:
    service = "bus" if kind.__module__ == "schemas.errors" else kind.__module__.removeprefix("schemas.")
    snake_case = re.sub("(?<!^)([A-Z])", r"_\1", kind.__name__).lower()
    assert tag_of(kind) == f"{service}.{snake_case}"


def test_no_two_messages_share_a_tag() -> None:
    assert [tag for tag, count in Counter(map(tag_of, EVERY)).items() if count > 1] == []
    assert len(registry.messages()) == len(EVERY)


@pytest.mark.parametrize("kind", registry.requests().values(), ids=tag_of)
def test_every_request_says_what_it_is_answered_with(kind: type[Message]) -> None:
    reply, parts = answers(kind)
    known = set(registry.messages().values())
    assert {reply, *parts} <= known
    assert not any(issubclass(answer, Request) for answer in (reply, *parts))


def test_only_requests_that_say_so_are_open_to_browsers() -> None:
    assert "device.scan" in registry.browser_requests()
    assert "bus.register" in registry.requests()
    assert "bus.register" not in registry.browser_requests()
    assert set(registry.events()).isdisjoint(registry.requests())


def test_texts_that_are_private_are_found_wherever_they_lie() -> None:
    class Odd(Message, tag="odd.odd"):
        plain: str = ""
        word: Annotated[Private, Meta(max_length=3)] = ""
        maybe: Private | None = None
        leaves: list[Leaf] = []
        named: dict[str, Leaf | int] = {}
        words: dict[str, Private] = {}

    assert sorted(registry._private(inspect.type_info(Odd), ())) == [
        ("leaves", "word"),
        ("maybe",),
        ("named", "*", "word"),
        ("word",),
        ("words", "*"),
    ]


def test_titles_tokens_and_names_of_files_are_private() -> None:
    hidden = {(tag, path[-1]) for tag, paths in registry.private_fields().items() for path in paths}
    assert {("pdf.create", "title"), ("session.open", "token"), ("session.opened", "token")} <= hidden
    assert {("bus.record", "path"), ("bus.save_ring", "path")} <= hidden


def test_no_page_can_have_the_bus_recorded() -> None:
    assert {"bus.record", "bus.save_ring"}.isdisjoint(registry.browser_requests())
