"""What must be true of every message, whoever adds the next one."""

import re
from collections import Counter

import pytest

from bus.actor import answers
from schemas import registry
from schemas.message import Event, Message, Request, tag_of


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
