"""Bytes stay as long as somebody owns them, and no longer."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from actors.cache import Cache
from bus import Context
from schemas.buffer import ListPages, Remove
from schemas.cache import EndSession, GetUsage, Hold, Release, UseSession
from schemas.errors import Denied, NotFound
from schemas.message import Blob
from tests.house import WAIT_S, House, in_house
from tests.paper import kept, stack

TEXT = "text/plain"


def older(here: House, ctx: Context, name: str, hours: float) -> None:
    then = time.time() - 3600 * hours
    os.utime(here.store.folder / "pages" / ctx.session / name, (then, then))


async def swept(here: House) -> None:
    """The cache sweeps when it starts."""
    await here.stop("cache")
    here.start("cache")
    await here.ready("cache")
    await tidied(here)


async def tidied(here: House) -> None:
    """The sweep at the cache's start is over, so that the next one is the test's own."""
    actor = here.actors["cache"]
    assert isinstance(actor, Cache)
    await asyncio.wait_for(actor.tidied.wait(), WAIT_S)


async def put_old(here: House, ctx: Context, text: str, hours: float = 25) -> Blob:
    await tidied(here)
    blob = await ctx.put(text.encode(), TEXT)
    older(here, ctx, blob.name, hours)
    return blob


@in_house
async def test_a_blob_stays_until_its_last_owner_lets_go(here: House) -> None:
    ctx = here.session()
    blob = await ctx.put(b"shared", TEXT)
    for owner in ("one", "two", "two"):
        await ctx.call(Hold(owner=owner, blobs=[blob.name]))
    await ctx.call(Release(owners=["one"]))
    assert await ctx.read(blob) == b"shared"
    await ctx.call(Release(owners=["nobody"]))
    assert here.store.exists(ctx.session, blob.name)
    await ctx.call(Release(owners=["two"]))
    assert not here.store.exists(ctx.session, blob.name)
    await ctx.call(Release(owners=["two"]))


@in_house
async def test_equal_pages_share_their_bytes_and_removing_one_keeps_the_other(here: House) -> None:
    ctx = here.session()
    (first,) = await stack(ctx, 1)
    (second,) = await stack(ctx, 1)
    assert first.image.blob == second.image.blob
    assert (await ctx.call(GetUsage())).blobs == 1
    await ctx.call(Remove(page_ids=[first.page_id]))
    assert (await ctx.call(ListPages())).pages == [second]
    assert await ctx.read(second.image.blob)
    await ctx.call(Remove(page_ids=[second.page_id]))
    assert (await ctx.call(GetUsage())).blobs == 0


@in_house
async def test_one_session_cannot_let_go_for_another(here: House) -> None:
    ctx, stranger = here.session(), here.session()
    blob = await ctx.put(b"mine", TEXT)
    await ctx.call(Hold(owner="page", blobs=[blob.name]))
    with pytest.raises(NotFound):
        await stranger.call(Hold(owner="page", blobs=[blob.name]))
    await stranger.call(Release(owners=["page"]))
    assert await ctx.read(blob) == b"mine"


@in_house
async def test_the_end_of_a_session_leaves_neither_key_nor_file(here: House) -> None:
    ctx, other = here.session(), here.session()
    await stack(ctx, 2)
    pages = await stack(other, 1)
    await ctx.call(EndSession())
    left = [path for path in here.store.folder.rglob("*") if ctx.session in path.name]
    assert left == []
    assert here.store.sessions() == [other.session]
    assert await other.read(pages[0].image.blob)
    with pytest.raises(NotFound):
        await ctx.put(b"late", TEXT)
    await ctx.call(EndSession())


@in_house
async def test_holding_what_is_not_there_is_not_found_and_holds_nothing(here: House) -> None:
    ctx = here.session()
    await ctx.call(UseSession())
    blob = await ctx.put(b"there", TEXT)
    for name in ("0" * 32, "../../cache.sqlite", ""):
        with pytest.raises(NotFound):
            await ctx.call(Hold(owner="page", blobs=[blob.name, name]))
    older(here, ctx, blob.name, 25)
    await swept(here)
    assert not here.store.exists(ctx.session, blob.name)


@in_house
async def test_without_a_session_nothing_can_be_held(here: House) -> None:
    for request in (Hold(owner="page", blobs=["0" * 32]), Release(owners=["page"]), EndSession()):
        with pytest.raises(Denied):
            await here.caller.ctx.call(request)


@in_house
async def test_a_sweep_deletes_what_was_left_behind_and_nothing_else(here: House) -> None:
    ctx = here.session()
    owned, left, fresh = [await put_old(here, ctx, each, hours) for each, hours in (("a", 25), ("b", 25), ("c", 23))]
    await ctx.call(Hold(owner="page", blobs=[owned.name]))
    part = here.store.folder / "pages" / ctx.session / ".unfinished"
    part.write_bytes(b"half a page")
    older(here, ctx, part.name, 1)
    await swept(here)
    assert set(here.store.names(ctx.session)) == {owned.name, fresh.name}
    assert left.name not in here.store.names(ctx.session)


@in_house
async def test_a_sweep_ends_sessions_that_were_empty_for_a_day(here: House) -> None:
    empty, full, new = here.session(), here.session(), here.session()
    await stack(full, 1)
    then = time.time() - 25 * 3600
    for ctx in (empty, full):
        os.utime(here.store.folder / "session-keys" / ctx.session, (then, then))
    await swept(here)
    assert set(here.store.sessions()) == {full.session, new.session}


@in_house
async def test_files_that_vanish_disturb_neither_usage_nor_sweep(here: House) -> None:
    """A page that is finished while it is counted is no longer where it was; here, a link to nothing stands for it."""
    ctx, gone = here.session(), here.session()
    (page,) = await stack(ctx, 1)
    (here.store.folder / "pages" / ctx.session / ".vanished").symlink_to("nothing")
    (here.store.folder / "pages" / gone.session).rmdir()
    left = await put_old(here, ctx, "left")
    assert (await ctx.call(GetUsage())).blobs == 2
    await swept(here)
    assert not here.store.exists(ctx.session, left.name)
    assert (await ctx.call(GetUsage())).blobs == 1
    assert await ctx.read(page.image.blob)


@in_house
async def test_usage_counts_what_is_on_the_disk(here: House, tmp_path: Path) -> None:
    ctx, other = here.session(), here.session()
    await ctx.put(b"1" * 1000, "image/jpeg")
    await other.put(b"2" * 5000, "image/jpeg")
    usage = await ctx.call(GetUsage())
    on_disk = [path.stat().st_size for path in (tmp_path / "state" / "pages").rglob("*") if path.is_file()]
    assert (usage.blobs, usage.sessions, usage.disk_bytes) == (2, 2, sum(on_disk))
    assert usage.disk_bytes > 6000
    assert usage.disk_free_bytes > 0
    assert usage.memory_limit_bytes == here.config.cache.memory_limit_mb * 2**20


@in_house
async def test_owners_are_remembered_over_a_restart(here: House) -> None:
    ctx = here.session()
    image = await kept(ctx, bytes(24))
    await ctx.call(Hold(owner="page", blobs=[image.blob.name]))
    older(here, ctx, image.blob.name, 48)
    await swept(here)
    assert await ctx.read(image.blob)
    await ctx.call(Release(owners=["page"]))
    assert not here.store.exists(ctx.session, image.blob.name)
