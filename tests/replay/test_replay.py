"""Behavior does not change unasked: every actor, and the whole, still say in every story what they said then."""

import asyncio
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from bus.recorded import lives, services
from bus.trace import read
from schemas import registry
from schemas.config import Config
from schemas.errors import CODES
from tests.replay.play import involved, play, play_whole
from tests.replay.record import TRACES
from tests.replay.stories import STORIES

NOW = sorted((TRACES / version("scanbus")).glob("*.jsonl"))
EVER = sorted(TRACES.glob("*/*.jsonl"))
ACTED = [pytest.param(path, service, id=f"{path.stem}-{service}") for path in NOW for service in involved(path)]
NOT_PLAYED = {"gateway"}
"""What it hears is HTTP, not letters: the whole is played from what it would say on the bus, as a caller says it."""


@pytest.mark.parametrize(("path", "service"), ACTED)
def test_an_actor_says_what_it_said(path: Path, service: str) -> None:
    assert "\n".join(map(str, asyncio.run(play(path, service)))) == ""


@pytest.mark.parametrize("path", NOW, ids=lambda path: path.stem)
def test_a_caller_of_the_whole_house_hears_what_it_heard(path: Path) -> None:
    assert "\n".join(map(str, asyncio.run(play_whole(path)))) == ""


@pytest.mark.parametrize("path", EVER, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_traces_of_all_releases_can_be_read(path: Path) -> None:
    trace = read(path)
    assert trace.broken == ""
    assert trace.header.version == path.parent.name
    for line in trace.lines:
        body = msgspec.msgpack.decode(line.letter.body)
        if body is None:
            continue
        if body["type"] in registry.messages():
            msgspec.convert(body, registry.messages()[body["type"]])
        else:
            assert body["code"] in CODES


def test_every_story_is_recorded_for_this_release() -> None:
    assert {path.stem for path in NOW} == set(STORIES)


def test_every_actor_that_runs_by_itself_is_played() -> None:
    played = {service.partition("/")[0] for path in NOW for service in involved(path)}
    assert played | NOT_PLAYED >= {actor for actors in Config().processes.values() for actor in actors}


def test_each_life_of_a_process_that_died_is_played() -> None:
    trace = read(TRACES / version("scanbus") / "driver_lost.jsonl")
    assert len(lives(trace, "driver/virtual:sample")) == 2
    assert {"buffer", "device", "caller", "driver/virtual"} <= {*services(trace), "caller"}


def test_all_traces_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in TRACES.rglob("*") if path.is_file()) < 2 << 20
