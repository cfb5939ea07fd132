"""Power losses: every state that the disk may be in after any call of the story is opened, and must keep P1."""

import asyncio
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import structlog

from schemas.errors import ScanbusError
from tests.house import House, house
from tests.torture.calls import Op, build_shim, read_calls, watched
from tests.torture.diary import Diary, State, kept_state_of, state_of, unnamed
from tests.torture.disk import Disk, Loss, Write, tree
from tests.torture.story import story_config

RECENT = 8
"""Effects that are most often lost together: the last ones."""


class Note(NamedTuple):
    """What was acknowledged of a session, or a kept document, after so many calls."""

    calls: int
    of: str
    step: int
    state: State
    key: str


class Recorded(NamedTuple):
    """The story, told once."""

    disk: Disk
    notes: list[Note]


def record(folder: Path) -> None:
    """Live the story below a folder. Raises AssertionError where the calls do not explain what is on disk."""
    (folder / "state").mkdir(parents=True)
    command = [sys.executable, "-m", "tests.torture.story", str(folder)]
    environment = watched(build_shim(folder), folder / "state", folder / "calls")
    subprocess.run(command, env=environment, check=True, timeout=60)
    disk = recall(folder).disk
    disk.build(Loss(disk.calls), folder / "whole")
    assert tree(folder / "whole") == tree(folder / "state"), "the shim has not seen all"


@cache
def recall(folder: Path) -> Recorded:
    """The story that was recorded below a folder."""
    calls = read_calls(folder / "calls")
    marks = [(number, json.loads(call.data)) for number, call in enumerate(calls, 1) if call.op is Op.MARK]
    notes = [Note(number, note["of"], note["step"], note["state"], note.get("key", "")) for number, note in marks]
    return Recorded(Disk(folder / "state", calls), notes)


def loss(disk: Disk, chance: random.Random) -> Loss:
    """A power loss at a random moment: up to three unsynced effects are missing, and the last write may be torn."""
    calls = chance.randint(0, disk.calls)
    unsynced = disk.unsynced(calls)
    pool = unsynced[-RECENT:] if chance.random() < 0.5 else unsynced
    missing = frozenset(chance.sample(pool, min(len(pool), chance.randint(0, 3))))
    zeroed = frozenset(number for number in missing if chance.random() < 0.5)
    writes = [number for number in unsynced if isinstance(disk.effects[number].what, Write)]
    last = disk.effects[writes[-1]].what if writes and chance.random() < 0.7 else None
    if isinstance(last, Write):
        return Loss(calls, missing, zeroed, writes[-1], chance.randrange(len(last.data) + 1))
    return Loss(calls, missing, zeroed)


def losses(disk: Disk, seed: int, count: int) -> list[Loss]:
    """So many different power losses."""
    chance = random.Random(seed)
    found: dict[Loss, None] = {}
    for _ in range(20 * count):
        found[loss(disk, chance)] = None
        if len(found) == count:
            break
    return list(found)


def try_loss(folder: Path, lost: Loss) -> tuple[str, str]:
    """What was lost of the story recorded below `folder`, and what is wrong afterwards ("": nothing)."""
    recorded = recall(folder)
    again = folder / "again" / f"{hash(lost):x}"
    again.mkdir(parents=True)
    try:
        recorded.disk.build(lost, again / "state")
        with structlog.testing.capture_logs() as said:
            wrong = asyncio.run(_open(again, recorded.notes, lost.calls))
        bad = [each for each in said if each["log_level"] in ("error", "critical")]
        return str(lost), wrong or (f"the log says {bad[0]}" if bad else "")
    finally:
        shutil.rmtree(again)


async def _open(folder: Path, notes: list[Note], calls: int) -> str:
    async with house(story_config(folder)) as here, asyncio.timeout(20):
        if list((folder / "state").rglob("*.damaged*")):
            return "a power loss was taken for damage"
        for of in dict.fromkeys(note.of for note in notes if note.calls <= calls):
            told = [note for note in notes if note.of == of]
            now = [note for note in told if note.calls <= calls][-1]
            try:
                found = await _state_of(here, of)
            except ScanbusError as error:
                return f"{of} cannot be read: {error.text}"
            allowed = [note.state for note in told if note.calls >= now.calls and note.step <= now.step + 1]
            known = {page[0] for page in now.state or ()}
            if unnamed(found, known) not in [unnamed(state, known) for state in allowed]:
                return f"{of}: {found} is none of {allowed}"
            if now.key and any(bytes.fromhex(now.key) in data for data in tree(folder / "state").values()):
                return f"the key of the ended session {of} is still there"
        afterwards = await Diary.begin(here)
        await afterwards.put(1)
        if await state_of(afterwards.ctx) != afterwards.pages:
            return "what comes afterwards is not kept"
    return ""


async def _state_of(here: House, of: str) -> State:
    kept, _, name = of.rpartition(":")
    if kept:
        return await kept_state_of(here, name)
    return await state_of(here.caller.ctx.on_behalf(of)) if here.store.has(of) else None


def try_losses(folder: Path, seed: int, count: int, workers: int) -> Iterator[tuple[str, str]]:
    """What was lost each time of the story recorded below `folder`, and what is wrong afterwards ("": nothing)."""
    lost = losses(recall(folder).disk, seed, count)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(try_loss, [folder] * len(lost), lost, chunksize=16)
