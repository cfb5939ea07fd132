"""Damage to any file: only that item is lost, it is told, nothing crashes, and nothing opens to a stranger."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from bus import Context
from schemas import buffer, kept
from schemas.errors import ScanbusError
from tests.house import House, house
from tests.paper import small_stack
from tests.torture import damage
from tests.torture.diary import Diary, KeptDiary, PageState, State, page_state, state_of
from tests.torture.disk import SHARED_MEMORY
from tests.torture.story import story_config

DAY_S = 86400.0
SESSIONS = 3


class Life(NamedTuple):
    """What was lived below a folder: `state`, as a crash left it, and `older`, an earlier version of it."""

    folder: Path
    sessions: dict[str, list[PageState]]
    kept: dict[str, State]


class Blow(NamedTuple):
    """One damaged file."""

    room: str
    """Which kind of item it is."""
    path: str
    other: str
    kind: str


async def live(folder: Path) -> Life:
    """Fill a state folder with sessions and kept documents."""
    small_stack(folder / "paper", 6)
    documents = [KeptDiary("deeds"), KeptDiary("plans")]
    async with house(story_config(folder)) as here:
        diaries = [await Diary.begin(here) for _ in range(SESSIONS)]
        for number, diary in enumerate(diaries):
            await diary.scan(4 + number)
            await diary.rotate([number], 90)
        for document, diary in zip(documents, diaries, strict=False):
            await document.create(diary)
            await document.save(diary)
    shutil.copytree(folder / "state", folder / "older")
    async with house(story_config(folder)) as here:
        for diary in diaries:
            diary.ctx = here.caller.ctx.on_behalf(diary.ctx.session)
            await diary.remove([2])
            await diary.scan(2)
            await diary.move([3, 0], 1)
        await documents[0].save(diaries[2])
        shutil.copytree(folder / "state", folder / "crashed", ignore=shutil.ignore_patterns(f"*{SHARED_MEMORY}"))
    return Life(
        folder,
        {diary.ctx.session: diary.pages for diary in diaries},
        {each.name: each.state for each in documents},
    )


def room_of(path: Path) -> str:
    """What kind of item a file of the state folder belongs to."""
    if path.parts[0] in ("pages", "session-keys", "kept", "buffer"):
        return "wal" if path.name.endswith("-wal") else path.parts[0]
    return path.name


def hit(life: Life, state: Path, chance: random.Random) -> Blow:
    """Damage one file of a copy of the state."""
    files: dict[str, list[Path]] = {}
    for path in sorted(path.relative_to(state) for path in state.rglob("*") if path.is_file()):
        files.setdefault(room_of(path), []).append(path)
    while True:
        room = chance.choice([*files, "pages", "pages"])
        path = chance.choice(files[room])
        kind = chance.choice(
            [damage.cut_off, damage.flip_bits, damage.fill_with_zeros, damage.swap, damage.put_back, damage.remove]
        )
        other: Path | None = None
        if kind is damage.swap:
            near = [each for each in files[room] if each.parent == path.parent]
            other = state / chance.choice(chance.choice([near, files[room]]))
        elif kind is damage.put_back and (life.folder / "older" / path).exists():
            other = life.folder / "older" / path
        if kind(state / path, chance, other):
            return Blow(room, str(path), str(other or ""), kind.__name__)


def try_damage(life: Life, seed: int) -> tuple[str, str]:
    """What was damaged, and what is wrong then ("": nothing)."""
    chance = random.Random(seed)
    folder = life.folder / f"damaged-{seed}"
    shutil.copytree(life.folder / "crashed", folder / "state")
    try:
        damage.age(folder / "state", 2 * DAY_S)
        blow = hit(life, folder / "state", chance)
        with structlog.testing.capture_logs() as said:
            try:
                wrong = asyncio.run(_open(folder, life, blow, said))
            except (ScanbusError, OSError) as error:
                wrong = f"{type(error).__name__}: {error}"
        crashed = [each for each in said if each.get("exc_info")]
        return f"{seed}: {blow}", wrong or (f"the log says {crashed[0]}" if crashed else "")
    finally:
        shutil.rmtree(folder)


async def _open(folder: Path, life: Life, blow: Blow, said: list[Any]) -> str:
    async with house(story_config(folder, life.folder / "paper")) as here, asyncio.timeout(20):
        await here.actors["cache"].tidied.wait()  # type: ignore[attr-defined]
        told: list[str] = []
        for session, before in life.sessions.items():
            found = await look(here.caller.ctx.on_behalf(session), told)
            told += [str(each) for each in said if each["log_level"] in ("warning", "error")]
            wrong = _strange(here, session, life)
            if found != before:
                wrong = wrong or _excuse(session, blow, before, found, told)
            if wrong:
                return f"session {session}: {wrong}; it had {before}, it has {found}; told: {told}"
        for name, kept in life.kept.items():
            wrong = await _kept(here, name, kept, blow, told)
            if wrong:
                return wrong
        afterwards = await Diary.begin(here)
        await afterwards.scan(1)
        if await state_of(afterwards.ctx) != afterwards.pages:
            return "what is scanned afterwards is not kept"
    return ""


def _strange(here: House, session: str, life: Life) -> str:
    """Whether a session can read what is another's."""
    for other in life.sessions:
        for name in here.store.names(other) if other != session else ():
            try:
                data = here.store.read(session, name)
            except ScanbusError:
                continue
            return f"it can read {name} of {other}: {data[:20]!r}"
    return ""


async def look(ctx: Context, told: list[str]) -> State:
    """The session's pages, with an error's code and blob in place of an image; None where they cannot be listed."""
    try:
        documents = (await ctx.call(buffer.ListDocuments())).documents
        found = []
        for document in documents:
            pages = (await ctx.call(buffer.ListPages(document_id=document.document_id))).pages
            found += [await page_state(ctx, page, str(document.name), told) for page in pages]
    except ScanbusError as error:
        told.append(f"{error.code} {error.text} {error.data}")
        return None
    return found


def _excuse(session: str, blow: Blow, before: State, found: State, told: list[str]) -> str:
    """What is wrong with a session that is not as it was; nothing, if it was hit and says so."""
    names = [Path(blow.path).name, *([Path(blow.other).name] if blow.kind == "swap" else [])]
    mine = any(session in path for path in (blow.path, blow.other))
    known = any(name in line for line in told for name in [session[:8], *names])
    images = sorted(page[1] for page in found or ())
    match blow.room:
        case "pages" if mine and found is not None:
            lost = [page for page, old in zip(found, before or (), strict=True) if page != old]
            gone = {f"{code} {name}" for code in ("damaged", "not_found") for name in names}
            if known and all(page[1] in gone for page in lost):
                return ""
        case "session-keys" if mine:
            if (known and found is None) or (found and all(image.startswith("damaged") for image in images)):
                return ""
        case "buffer" | "wal" if mine and found is not None:
            # Neither a log's lost end nor an older file can be told from the right one: then edits are older ones.
            unnoticed = blow.kind == "put_back" or blow.room == "wal"
            whole = [image for image in images if " " not in image] == sorted(page[1] for page in before or ())
            if whole and (unnoticed or known):
                return ""
    return "that is not what was hit, or it was not told"


async def _kept(here: House, name: str, before: State, blow: Blow, told: list[str]) -> str:
    """What is wrong with a kept document."""
    heard: list[str] = []
    ctx = (await Diary.begin(here)).ctx
    damaged: list[str] = []
    try:
        damaged = (await ctx.call(kept.Load(name=name))).damaged
    except ScanbusError as error:
        heard.append(f"{error.code} {error.text} {error.data}")
    found = [["", *page[1:]] for page in await look(ctx, heard) or ()]
    if found == before:
        return ""
    hit = blow.room in ("kept", "storage.key", "storage.key.copy")
    if hit and (damaged or heard or told) and all(page in (before or ()) for page in found):
        return ""
    if hit and blow.kind == "put_back":
        return ""
    return f"{name} had {before}, has {found}; {heard} {damaged} {told}"


def try_damages(folder: Path, seed: int, count: int, workers: int) -> Iterator[tuple[str, str]]:
    """What was damaged each time, and what is wrong then ("": nothing)."""
    life = asyncio.run(live(folder))
    seeds = range(seed * count, (seed + 1) * count)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(try_damage, [life] * count, seeds, chunksize=4)
