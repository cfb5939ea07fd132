"""Plays a story's trace into every actor that it involves, and into the whole house."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bus import Actor
from bus.compare import Difference
from bus.recorded import PATIENCE_S, services
from bus.replay import replay_actor
from bus.replay_caller import replay_caller
from bus.trace import read
from schemas.buffer import Changed
from schemas.cache import SessionEnded
from schemas.config import Config
from schemas.device import DeviceFound, DeviceLost
from schemas.message import tag_of
from tests.house import house
from tests.replay.stories import config_for, maker

TOPICS = [tag_of(each) for each in (Changed, SessionEnded, DeviceFound, DeviceLost)]


def involved(path: Path) -> list[str]:
    """The services of a story, but for the caller that told it."""
    return [each for each in services(read(path)) if each != "caller"]


async def play(
    path: Path, service: str, make: Callable[[], Actor] | None = None, patience_s: float = PATIENCE_S
) -> list[Difference]:
    """Replay one actor, the registered one or another."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = make or maker(config_for(Path(folder)), service)
        return await replay_actor(
            read(path), service, chosen, path.with_suffix(".blobs"), Path(folder), patience_s=patience_s
        )


async def play_whole(
    path: Path, makers: Mapping[str, Callable[[Config, str], Actor]] | None = None, patience_s: float = PATIENCE_S
) -> list[Difference]:
    """Replay what the caller said in a house of its own, with the registered actors or others."""
    trace = read(path)
    (caller,) = {line.letter.sender for line in trace.lines if line.letter.sender.startswith("caller#")}
    with tempfile.TemporaryDirectory() as folder:
        async with house(config_for(Path(folder)), makers) as here:
            return await replay_caller(
                trace,
                caller,
                here.broker.local_port("caller"),
                TOPICS,
                begin=lambda: here.session().session,
                end=here.kill,
                patience_s=patience_s,
            )


async def play_all(path: Path) -> list[Difference]:
    """All of it, one after another."""
    found = [each for service in involved(path) for each in await play(path, service)]
    return found + await play_whole(path)
