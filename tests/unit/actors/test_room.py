"""Pages wait for room, pictures make room, and whoever waits hears when there is some again."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from actors.cache.account import Account
from actors.cache.tidy import FRESH_S
from bus import Context, on
from bus.blobs import BlobStore
from schemas.cache import BeginSession, DiskFull, EndSession, GetUsage, HasRoom, Hold, Release, Room, RoomAgain
from schemas.config import CacheConfig, Config
from schemas.errors import Canceled
from schemas.message import Blob
from tests.disks import fill, small_disk
from tests.house import WAIT_S, Caller, House, house

JPEG = "image/jpeg"
MIB = 1 << 20


class Watcher(Caller):
    """Hears how much room there is."""

    @on(DiskFull)
    async def full(self, msg: DiskFull, ctx: Context) -> None:
        await self._note(ctx.session, msg)

    @on(RoomAgain)
    async def again(self, msg: RoomAgain, ctx: Context) -> None:
        await self._note(ctx.session, msg)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.cache.LOOK_AGAIN_S", 0.02)


def with_cache(config: Config, claim: Callable[[House], Awaitable[None]], **limits: int) -> None:
    async def lived() -> None:
        changed = structs.replace(config, cache=structs.replace(CacheConfig(), **limits))
        async with house(changed, {"caller": Watcher}) as here, asyncio.timeout(6 * WAIT_S):
            await claim(here)

    asyncio.run(lived())


async def begun(here: House) -> Context:
    return here.caller.ctx.on_behalf((await here.caller.ctx.call(BeginSession())).session_id)


async def hold(ctx: Context, owner: str, *, seed: int, again: bool = False) -> Blob:
    """A MiB of this session, owned."""
    blob = await ctx.put(bytes([seed]) * MIB, JPEG)
    await ctx.call(Hold(owner=owner, blobs=[blob.name], again=again))
    return blob


async def heard(here: House, *kinds: type) -> list[DiskFull | RoomAgain]:
    """What was said of room, to everybody, once it is of these kinds."""

    def said() -> list[DiskFull | RoomAgain]:
        return [each for session, each in here.caller.heard if not session and isinstance(each, DiskFull | RoomAgain)]

    await here.caller.until(lambda _: [type(each) for each in said()] == list(kinds))
    return said()


def test_where_there_is_room_nobody_waits_and_nothing_is_said(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        for _ in range(3):
            assert await ctx.call(Room(), timeout_s=WAIT_S) == HasRoom()
        await heard(here)
        assert (await ctx.call(GetUsage())).disk_limit_bytes == 0

    with_cache(config, claim)


@pytest.mark.parametrize("last", ["released", "ended"])
def test_at_the_limit_pages_wait_until_others_are_gone(config: Config, last: str) -> None:
    async def claim(here: House) -> None:
        ctx, other = await begun(here), await begun(here)
        first = await hold(ctx, "first", seed=1)
        assert await ctx.call(Room()) == HasRoom()
        await hold(other, "second", seed=2)
        waiting = [asyncio.create_task(ctx.call(Room())) for _ in range(2)]
        (full,) = await heard(here, DiskFull)
        assert isinstance(full, DiskFull)
        assert (full.reason, full.limit_bytes) == ("limit", 2 * MIB)
        assert full.used_bytes > 2 * MIB
        assert not any(task.done() for task in waiting)
        await other.call(Release(owners=["second"]) if last == "released" else EndSession())
        assert await asyncio.gather(*waiting) == [HasRoom()] * 2
        await heard(here, DiskFull, RoomAgain)
        assert await ctx.read(first)
        assert (await ctx.call(GetUsage())).disk_limit_bytes == 2 * MIB

    with_cache(config, claim, disk_limit_mb=2)


def test_on_a_full_disk_pages_wait_until_there_is_space(config: Config, tmp_path: Path) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        before = await hold(ctx, "before", seed=1)
        assert await ctx.call(Room()) == HasRoom()
        ballast = fill(here.store.folder)
        waiting = asyncio.create_task(ctx.call(Room()))
        (full,) = await heard(here, DiskFull)
        assert isinstance(full, DiskFull)
        assert (full.reason, full.limit_bytes) == ("disk", 0)
        assert full.free_bytes < MIB
        assert not waiting.done()
        ballast.unlink()
        assert await waiting == HasRoom()
        await heard(here, DiskFull, RoomAgain)
        assert await ctx.read(before)
        assert await ctx.read(await hold(ctx, "after", seed=2))

    with small_disk(tmp_path / "state", size_kb=32 << 10):
        with_cache(config, claim)


def test_some_of_the_disk_is_left_for_others(config: Config, tmp_path: Path) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        ballast = here.store.folder / "ballast"
        ballast.write_bytes(bytes(29 * MIB))
        assert await ctx.call(Room()) == HasRoom()
        ballast.write_bytes(bytes(30 * MIB))
        waiting = asyncio.create_task(ctx.call(Room()))
        await heard(here, DiskFull)
        os.truncate(ballast, MIB)
        assert await waiting == HasRoom()

    # A sixteenth of it, as that is less than `disk_reserve_mb`.
    with small_disk(tmp_path / "state", size_kb=32 << 10):
        with_cache(config, claim)


def test_who_was_refused_although_there_seems_to_be_room_pauses(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        for _ in range(5):
            assert await ctx.call(Room(refused=True)) == HasRoom()
        await heard(here, DiskFull, RoomAgain)

    with_cache(config, claim)


def test_waiting_for_room_can_be_given_up(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        await hold(ctx, "page", seed=1)
        async with ctx.stream(Room()) as stream:
            await heard(here, DiskFull)
            stream.cancel()
            with pytest.raises(Canceled):
                await stream.reply()
        await heard(here, DiskFull, RoomAgain)

    with_cache(config, claim, disk_limit_mb=1)


def aged(here: House, ctx: Context, blob: Blob, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(here.store.folder / "pages" / ctx.session / blob.name, (then, then))


def test_pictures_that_can_be_made_again_go_first_the_oldest_before_the_others(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.cache.tidy.EVICTED_BYTES", MIB)

    async def claim(here: House) -> None:
        ctx, other = await begun(here), await begun(here)
        page = await hold(ctx, "page", seed=1)
        pictures = [await hold(each, "page", seed=2 + n, again=True) for n, each in enumerate((ctx, other, ctx))]
        for age_s, picture, whose in zip((300, 500, 400), pictures, (ctx, other, ctx), strict=True):
            aged(here, whose, picture, age_s)
        aged(here, ctx, page, 1000)
        # It shares its bytes with a page.
        await ctx.call(Hold(owner="picture", blobs=[page.name], again=True))
        assert await ctx.call(Room()) == HasRoom()
        assert not here.store.exists(other.session, pictures[1].name)
        assert all(here.store.exists(ctx.session, each.name) for each in (page, pictures[0], pictures[2]))
        await hold(ctx, "another page", seed=9)
        await hold(ctx, "one more", seed=10)
        assert await ctx.call(Room()) == HasRoom()
        assert not any(here.store.exists(ctx.session, each.name) for each in (pictures[0], pictures[2]))
        await heard(here)
        assert await ctx.read(page)

    with_cache(config, claim, disk_limit_mb=4)


def test_a_picture_that_was_just_made_stays_for_whoever_asked_for_it(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        picture = await hold(ctx, "page", seed=1, again=True)
        waiting = asyncio.create_task(ctx.call(Room()))
        await heard(here, DiskFull)
        assert await ctx.read(picture)
        aged(here, ctx, picture, FRESH_S + 1)
        assert await waiting == HasRoom()
        assert not here.store.exists(ctx.session, picture.name)

    with_cache(config, claim, disk_limit_mb=1)


def test_a_picture_that_is_asked_for_again_stays_longer(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        wanted = await hold(ctx, "page", seed=1, again=True)
        forgotten = await hold(ctx, "page", seed=2, again=True)
        for picture in (wanted, forgotten):
            aged(here, ctx, picture, 2 * FRESH_S)
        await ctx.call(Hold(owner="page", blobs=[wanted.name], again=True))
        assert set(here.store.names(ctx.session)) == {wanted.name}

    with_cache(config, claim, disk_limit_mb=2)


def test_pictures_do_not_take_what_is_left_for_pages(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        old = await hold(ctx, "page", seed=1, again=True)
        aged(here, ctx, old, FRESH_S + 1)
        new = await hold(ctx, "page", seed=2, again=True)
        assert set(here.store.names(ctx.session)) == {new.name}

    with_cache(config, claim, disk_limit_mb=1)


FILES = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "count"]), st.integers(0, 2), st.integers(0, 3), st.integers(0, 9)),
    max_size=30,
)


@given(FILES)
@settings(max_examples=100, deadline=None)
def test_the_account_is_what_the_files_take(changes: list[tuple[str, int, int, int]]) -> None:
    account = Account(BlobStore(Path()), CacheConfig())
    files: dict[tuple[str, str], int] = {}
    for change, where, which, size in changes:
        session, name = f"session {where}", f"file {which}"
        if change == "add":
            account.add(session, name, size)
            files[session, name] = size
        elif change == "remove":
            assert account.remove(session, name) == files.pop((session, name), 0)
        else:
            account.count(session, {name: size} if which else {})
            files = {key: each for key, each in files.items() if key[0] != session}
            files |= {(session, name): size} if which else {}
        assert (account.used_bytes, account.files) == (sum(files.values()), len(files))
