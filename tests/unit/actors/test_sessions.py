"""Whose sessions there are, how long they stay, and what becomes of them when what is known of them is lost."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from actors.cache import Cache
from bus import Context, on
from bus.blobs import BlobStore
from schemas.buffer import Remove
from schemas.cache import (
    BeginSession,
    Claim,
    EndSession,
    GetSession,
    GetUsage,
    Hold,
    ListSessions,
    Release,
    SessionEnded,
    UseSession,
)
from schemas.config import CacheConfig, Config
from schemas.errors import Denied, NotFound
from tests.house import WAIT_S, Caller, House, house, in_house
from tests.paper import stack

SITE, OTHER_SITE = "https://one.example", "https://two.example"
TEXT = "text/plain"
HOUR_S, DAY_S = 3600.0, 86400.0


class Mourner(Caller):
    """Hears which sessions have ended."""

    @on(SessionEnded)
    async def ended(self, msg: SessionEnded, ctx: Context) -> None:
        await self._note(ctx.session, msg)


async def begun(here: House, origin: str = SITE) -> Context:
    """The context of a session that somebody began as the gateway does."""
    return here.caller.ctx.on_behalf((await here.caller.ctx.call(BeginSession(origin=origin))).session_id)


async def stays(here: House, origin: str = SITE) -> list[str]:
    return [stay.session_id for stay in (await here.caller.ctx.call(ListSessions(origin=origin))).sessions]


async def restarted(here: House, meanwhile: Callable[[], object] = lambda: None) -> None:
    """The cache ends and begins again, and has looked at everything once."""
    await here.stop("cache")
    meanwhile()
    here.start("cache")
    await here.ready("cache")
    actor = here.actors["cache"]
    assert isinstance(actor, Cache)
    await asyncio.wait_for(actor.tidied.wait(), WAIT_S)


def older(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def with_cache(config: Config, claim: Callable[[House], Awaitable[None]], **settings: float | bool) -> None:
    async def lived() -> None:
        changed = structs.replace(config, cache=structs.replace(CacheConfig(), **settings))
        async with house(changed, {"caller": Mourner}) as here, asyncio.timeout(6 * WAIT_S):
            await claim(here)

    asyncio.run(lived())


@in_house
async def test_an_origin_hears_of_its_own_sessions_the_last_one_first(here: House) -> None:
    before = time.time()
    first, other, second = await begun(here), await begun(here, OTHER_SITE), await begun(here)
    assert await stays(here) == [second.session, first.session]
    assert await stays(here, OTHER_SITE) == [other.session]
    assert await stays(here, "") == []
    stay = (await first.call(GetSession())).session
    assert (stay.session_id, stay.origin, stay.damaged) == (first.session, SITE, False)
    assert before <= stay.begun_at == stay.used_at <= time.time()
    await first.call(EndSession())
    assert await stays(here) == [second.session]
    for request in (GetSession(), UseSession()):
        with pytest.raises(NotFound):
            await first.call(request)


@in_house
async def test_a_key_that_a_crash_kept_from_being_made_is_not_left(here: House) -> None:
    ctx = await begun(here)
    keys = here.store.folder / "session-keys"
    await restarted(here, lambda: (keys / ".half").write_bytes(b"half a key"))
    assert [path.name for path in keys.iterdir()] == [ctx.session]


@in_house
async def test_the_use_of_a_session_is_remembered_over_a_restart(here: House) -> None:
    ctx = await begun(here)
    begin = (await ctx.call(GetSession())).session
    await ctx.call(UseSession(origin=SITE))
    used = (await ctx.call(GetSession())).session
    assert begin.begun_at == used.begun_at < used.used_at
    await restarted(here)
    assert (await ctx.call(GetSession())).session == used


def garbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:100] = b"?" * 100
    path.write_bytes(content)


def zeroed_from_the_first_page_on(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096))


@pytest.mark.parametrize(
    ("damage", "aside"),
    [
        (garbled, 1),
        (zeroed_from_the_first_page_on, 1),
        (lambda path: os.truncate(path, 5000), 1),
        (lambda path: path.write_bytes(b""), 0),
        (lambda path: path.unlink(), 0),
    ],
)
def test_nothing_is_deleted_because_its_owners_are_forgotten(
    config: Config, damage: Callable[[Path], object], aside: int
) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        pages = await stack(ctx, 2)
        folder = here.store.folder
        for path in (folder / "pages" / ctx.session).iterdir():
            older(path, 30 * DAY_S)
        older(folder / "session-keys" / ctx.session, 30 * DAY_S)
        await restarted(here, lambda: damage(folder / "cache.sqlite"))
        assert [await ctx.read(page.image.blob) for page in pages]
        await restarted(here)
        assert [await ctx.read(page.image.blob) for page in pages]
        assert len(list(folder.glob("cache.sqlite.damaged-?"))) == aside

    with_cache(config, claim, session_idle_days=1)


@in_house
async def test_damage_under_way_is_noticed_and_work_goes_on(here: House) -> None:
    ctx = await begun(here)
    (page,) = await stack(ctx, 1)
    path = here.store.folder / "cache.sqlite"
    with closing(sqlite3.connect(path)) as db:
        # The cache looks at the file again.
        db.execute("PRAGMA user_version = 7")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    zeroed_from_the_first_page_on(path)
    later = await ctx.put(b"later", TEXT)
    await asyncio.gather(*(ctx.call(Hold(owner=f"{number}", blobs=[later.name])) for number in range(5)))
    assert len(list(here.store.folder.glob("cache.sqlite.damaged-?"))) == 1
    await ctx.call(Release(owners=[page.page_id, *(f"{number}" for number in range(5))]))
    assert await ctx.read(page.image.blob)
    await ctx.call(Claim(pages={}))
    assert not here.store.exists(ctx.session, page.image.blob.name)


@in_house
async def test_whose_a_session_is_is_told_again_by_whoever_checked_it(here: House) -> None:
    ctx = await begun(here)
    await restarted(here, (here.store.folder / "cache.sqlite").unlink)
    with pytest.raises(Denied, match="open it again"):
        await ctx.call(GetSession())
    assert await stays(here) == await stays(here, "") == []
    await ctx.call(UseSession(origin=SITE))
    await ctx.call(UseSession(origin=OTHER_SITE))
    assert await stays(here) == [ctx.session]
    assert await stays(here, OTHER_SITE) == []


@in_house
async def test_whoever_knows_the_pages_says_what_is_owned(here: House) -> None:
    ctx, stranger = await begun(here), await begun(here)
    page, left, document, picture = [await ctx.put(each.encode(), TEXT) for each in ("page", "left", "pdf", "picture")]
    others = await stranger.put(b"page", TEXT)
    await stranger.call(Hold(owner="p1", blobs=[others.name]))
    for owner, blob in ("p1", picture), ("p9", left), ("document:x", document):
        await ctx.call(Hold(owner=owner, blobs=[blob.name]))
    claim = Claim(pages={"p1": [page.name], "p2": ["0" * 32]})
    for _ in range(2):
        await ctx.call(claim)
        assert set(here.store.names(ctx.session)) == {page.name, document.name, picture.name}
    assert here.store.exists(stranger.session, others.name)
    await ctx.call(Release(owners=["p1"]))
    assert set(here.store.names(ctx.session)) == {document.name}


@in_house
async def test_many_pages_are_claimed_part_by_part(here: House) -> None:
    ctx = await begun(here)
    blobs = {owner: (await ctx.put(owner.encode(), TEXT)).name for owner in "abcdef"}
    for owner, name in blobs.items():
        await ctx.call(Hold(owner=owner, blobs=[name]))
    for after, up_to, owners, left in (("", "b", "b", "bcdef"), ("b", "d", "c", "bcef"), ("d", "", "f", "bcf")):
        await ctx.call(Claim(pages={owner: [blobs[owner]] for owner in owners}, after=after, up_to=up_to))
        assert set(here.store.names(ctx.session)) == {blobs[owner] for owner in left}


@in_house
async def test_what_nobody_was_known_to_own_goes_when_the_pages_are_known(here: House) -> None:
    ctx = await begun(here)
    kept, removed = await stack(ctx, 2)
    await restarted(here, (here.store.folder / "cache.sqlite").unlink)
    await ctx.call(Remove(page_ids=[removed.page_id]))
    assert here.store.exists(ctx.session, removed.image.blob.name)
    await ctx.call(Claim(pages={kept.page_id: [kept.image.blob.name]}))
    assert set(here.store.names(ctx.session)) == {kept.image.blob.name}


def used(store: BlobStore, session: str, seconds_ago: float) -> None:
    with sqlite3.connect(store.folder / "cache.sqlite") as db:
        db.execute("UPDATE sessions SET used_at = used_at - ? WHERE session = ?", (seconds_ago, session))
    db.close()


def test_sessions_that_nobody_uses_end_as_the_settings_say_and_everybody_hears_of_it(config: Config) -> None:
    async def claim(here: House) -> None:
        idle, fresh, empty = await begun(here), await begun(here), await begun(here)
        await stack(idle, 1), await stack(fresh, 1)

        def later() -> None:
            used(here.store, idle.session, 2.5 * DAY_S)
            used(here.store, fresh.session, 1.5 * DAY_S)
            used(here.store, empty.session, 2 * HOUR_S)

        await restarted(here, later)
        assert here.store.sessions() == [fresh.session]
        assert await stays(here) == [fresh.session]
        caller = here.caller
        await caller.until(
            lambda heard: (
                {session for session, event in heard if isinstance(event, SessionEnded)}
                == {idle.session, empty.session}
            )
        )

    with_cache(config, claim, session_idle_days=2, empty_session_s=HOUR_S)


def test_pages_stay_for_ever_unless_the_settings_say_otherwise(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        await stack(ctx, 1)
        await restarted(here, lambda: used(here.store, ctx.session, 3650 * DAY_S))
        assert here.store.sessions() == [ctx.session]

    with_cache(config, claim)


@in_house
async def test_a_page_that_nobody_owns_is_missed_for_a_week_and_other_blobs_for_a_day(here: House) -> None:
    ctx = await begun(here)
    vault = here.store.vault(ctx.session)
    page = vault.put(b"page", TEXT, label=b"job 1, page 1")
    picture = vault.put(b"picture", TEXT)
    for age_s, left in ((25 * HOUR_S, {page.name}), (6 * DAY_S, {page.name}), (8 * DAY_S, set())):
        for name in vault.names():
            older(vault.folder / name, age_s)
        await restarted(here)
        assert set(vault.names()) == left, f"after {age_s} s"
    assert picture.name != page.name


@in_house
async def test_a_page_that_waits_for_room_for_hours_is_not_swept_and_one_whose_writer_died_is(here: House) -> None:
    ctx = await begun(here)
    vault = here.store.vault(ctx.session)
    with vault.writer(TEXT) as writer:
        (part,) = vault.names()
        (vault.folder / ".died").write_bytes(b"half a page")
        for name in (part, ".died"):
            older(vault.folder / name, 5 * HOUR_S)
        await restarted(here)
        assert set(vault.names()) == {part}
        writer.write(b"page")
    assert vault.read(writer.blob.name) == b"page"


def test_what_no_key_opens_is_named_kept_for_a_week_and_deleted_then(config: Config) -> None:
    async def claim(here: House) -> None:
        lost, broken, fine = [await begun(here) for _ in range(3)]
        for ctx in (lost, broken, fine):
            await stack(ctx, 1)
        folder = here.store.folder

        def harm() -> None:
            (folder / "session-keys" / lost.session).unlink()
            (folder / "session-keys" / broken.session).write_bytes(b"short")

        await restarted(here, harm)
        listed = (await here.caller.ctx.call(ListSessions(origin=SITE))).sessions
        assert {stay.session_id: stay.damaged for stay in listed} == {
            lost.session: True,
            broken.session: True,
            fine.session: False,
        }
        assert (await fine.call(GetUsage())).sessions == 3

        def a_week_later() -> None:
            for ctx in (lost, broken):
                older(folder / "pages" / ctx.session, 8 * DAY_S)

        await restarted(here, a_week_later)
        assert await stays(here) == [fine.session]
        assert [path.name for path in (folder / "pages").iterdir()] == [fine.session]
        assert [path.name for path in (folder / "session-keys").iterdir()] == [fine.session]

    with_cache(config, claim)


def test_after_a_reboot_nothing_is_left_of_volatile_sessions(config: Config) -> None:
    async def claim(here: House) -> None:
        ctx = await begun(here)
        await stack(ctx, 1)
        await restarted(here, (here.store.folder / "session-keys" / ctx.session).unlink)
        assert list((here.store.folder / "pages").iterdir()) == []
        assert await stays(here) == []

    with_cache(config, claim, volatile=True)
