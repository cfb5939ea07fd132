"""The blob store's owner: whose sessions there are, who holds which bytes, what is deleted, how much room there is."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from msgspec import structs

from actors.cache.account import Account, Reason
from actors.cache.book import SCHEMA, UNKNOWN, Book
from actors.cache.tidy import Tidy
from actors.database import Database
from bus import Actor, Context, on
from bus.blobs import BlobStore
from schemas import cache
from schemas.config import Config
from schemas.errors import Damaged, Denied, NotFound, ScanbusError

SWEEP_INTERVAL_S = 600.0
LOOK_AGAIN_S = 1.0
"""How soon those who wait for room hear of it."""
ResultT = TypeVar("ResultT")


class Cache(Actor):
    """Owners in SQLite, bytes in the blob store: a blob goes when its last owner lets go."""

    service = "cache"

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self.tidied = asyncio.Event()
        """Set when everything was looked at once."""
        self._opening = asyncio.Lock()
        self._short_at: float | None = None
        """When there was last too little room, unless that is long over."""

    async def start(self, ctx: Context) -> None:
        """Open the database, get to know what is there, and keep it tidy."""
        self._ctx = ctx
        self._account = Account(ctx.store, self.config.cache)
        await self._open()
        for session in await ctx.offload(ctx.store.unreadable):
            ctx.log.error("the key of a session is damaged or missing: nothing that it kept can be read", of=session)
        ctx.spawn(self._keep_tidy())

    async def stop(self) -> None:
        """Close the database."""
        if hasattr(self, "_db"):
            self._db.close()

    @on(cache.BeginSession)
    async def begin_session(self, msg: cache.BeginSession, ctx: Context) -> cache.Began:
        """Make its key and folder, then note whose it is."""
        session = ctx.new_id()

        def begin() -> None:
            ctx.store.begin(session)
            self._book.use(session, msg.origin, ctx.unix_s())

        await self._change(begin)
        return cache.Began(session_id=session)

    @on(cache.UseSession)
    async def use_session(self, msg: cache.UseSession, ctx: Context) -> cache.Used:
        """Note it: sessions that nobody uses may go."""
        session = _session(ctx)

        def use() -> None:
            if not ctx.store.has(session):
                raise NotFound("There is no such session.")
            self._book.use(session, msg.origin, ctx.unix_s())

        await self._change(use)
        return cache.Used()

    @on(cache.ListSessions)
    async def list_sessions(self, msg: cache.ListSessions, ctx: Context) -> cache.Sessions:
        """Those of one origin."""
        stays = await self._change(lambda: self._book.stays(msg.origin))
        return cache.Sessions(sessions=await ctx.offload(lambda: [_looked_at(stay, ctx.store) for stay in stays]))

    @on(cache.GetSession)
    async def get_session(self, msg: cache.GetSession, ctx: Context) -> cache.FoundSession:
        """One session."""
        session = _session(ctx)
        stay = await self._change(lambda: self._book.stay(session))
        return cache.FoundSession(session=await ctx.offload(_looked_at, stay, ctx.store))

    @on(cache.Hold)
    async def hold(self, msg: cache.Hold, ctx: Context) -> cache.Held:
        """Own blobs."""

        def write() -> None:
            session = _session(ctx)
            blobs = ctx.store.blobs(session)
            for name in msg.blobs:
                if not blobs.exists(name):
                    raise NotFound(f"There is no blob {name} in this session.")
                with suppress(FileNotFoundError):
                    self._account.add(session, name, blobs.size(name))
                if msg.again:
                    # Those that nobody asked for longest go first.
                    blobs.touch(name)
            self._book.use(session, None, ctx.unix_s())
            self._book.hold(session, msg.owner, msg.blobs, again=msg.again)
            if msg.again and self._account.short():
                # What is left is for pages.
                self._tidy.evict()

        await self._change(write)
        return cache.Held()

    @on(cache.Release)
    async def release(self, msg: cache.Release, ctx: Context) -> cache.Released:
        """Let go, and delete what nobody owns any more."""
        await self._change(lambda: self._let_go(_session(ctx), msg.owners))
        return cache.Released()

    @on(cache.ListOwners)
    async def list_owners(self, msg: cache.ListOwners, ctx: Context) -> cache.Owned:
        """Those that are in the book."""
        session = _session(ctx)
        return cache.Owned(owners=sorted(await self._change(lambda: self._book.owners(session))))

    @on(cache.Claim)
    async def claim(self, msg: cache.Claim, ctx: Context) -> cache.Held:
        """Believe whoever knows the pages: holds that a crash has left go, those that damage took come back."""

        def settle() -> None:
            session = _session(ctx)
            for owner, names in msg.pages.items():
                self._book.hold(session, owner, filter(ctx.store.blobs(session).exists, names))
            owners = {owner for owner in self._book.owners(session) if ":" not in owner or owner == UNKNOWN}
            meant = {owner for owner in owners if owner > msg.after and (not msg.up_to or owner <= msg.up_to)}
            self._let_go(session, meant - set(msg.pages))

        await self._change(settle)
        return cache.Held()

    @on(cache.EndSession)
    async def end_session(self, msg: cache.EndSession, ctx: Context) -> cache.Ended:
        """Destroy the key first: from then on nothing can be read."""
        await self._change(lambda: self._tidy.end(_session(ctx)))
        ctx.publish(cache.SessionEnded())
        return cache.Ended()

    @on(cache.Room)
    async def room(self, msg: cache.Room, ctx: Context) -> cache.HasRoom:
        """Wait until there is some; what can be made again makes room first."""
        reason: Reason | None = "disk" if msg.refused else await ctx.offload(self._account.short)
        while reason:
            if not await self._change(self._tidy.evict):
                await self._tell_short(reason)
                await ctx.sleep(LOOK_AGAIN_S)
            reason = await ctx.offload(self._account.short)
        return cache.HasRoom()

    @on(cache.GetUsage)
    async def get_usage(self, msg: cache.GetUsage, ctx: Context) -> cache.Usage:
        """Count what there is."""

        def count() -> cache.Usage:
            self._account.recount()
            return cache.Usage(
                disk_bytes=self._account.used_bytes,
                disk_free_bytes=ctx.store.room()[0],
                blobs=self._account.files,
                sessions=len(ctx.store.sessions()),
                memory_limit_bytes=self.config.cache.memory_limit_mb << 20,
                disk_limit_bytes=self._account.limit_bytes,
            )

        return await self._change(count)

    async def _open(self) -> None:
        db = await self._ctx.offload(Database, self._ctx.store.folder / "cache.sqlite", SCHEMA)
        if db.damaged:
            self._ctx.log.error("the database of the cache is damaged: a new one is begun", old=str(db.damaged))
        book = Book(db)
        tidy = Tidy(self._ctx.store, book, self._account, self.config.cache)
        await db.change(tidy.meet)
        self._db, self._book, self._tidy = db, book, tidy

    async def _change(self, work: Callable[[], ResultT]) -> ResultT:
        db = self._db
        try:
            return await db.change(work)
        except Damaged as error:
            if "file" not in error.data:
                raise
        async with self._opening:
            if self._db is db:
                await self._open()
                db.close()
        return await self._db.change(work)

    def _let_go(self, session: str, owners: Iterable[str]) -> None:
        for name in self._book.let_go(session, owners):
            self._tidy.delete(session, name)

    async def _tell_short(self, reason: Reason) -> None:
        first = self._short_at is None
        self._short_at = self._ctx.now()
        if first:
            free, _ = await self._ctx.offload(self._ctx.store.room)
            self._ctx.publish(
                cache.DiskFull(
                    reason=reason,
                    used_bytes=self._account.used_bytes,
                    free_bytes=free,
                    limit_bytes=self._account.limit_bytes,
                )
            )
            self._ctx.spawn(self._tell_when_over())

    async def _tell_when_over(self) -> None:
        # A quota lets go of a few bytes at a time: it is not over while somebody is refused again and again.
        while self._short_at is not None and self._ctx.now() - self._short_at < 2 * LOOK_AGAIN_S:
            await self._ctx.sleep(LOOK_AGAIN_S)
        self._short_at = None
        self._ctx.publish(cache.RoomAgain())

    async def _keep_tidy(self) -> None:
        store = self._ctx.store
        while True:
            tidy = self._tidy
            kinds = (tidy.finish, store.ended), (tidy.sweep, store.sessions), (tidy.bury, store.unreadable)
            for work, sessions in kinds:
                for session in await self._ctx.offload(sessions):
                    try:
                        ended = await self._change(partial(work, session))
                    except ScanbusError as error:
                        self._ctx.log.warning("a session could not be tidied", of=session, reason=error.text)
                        continue
                    if ended:
                        self._ctx.on_behalf(session).publish(cache.SessionEnded())
            self.tidied.set()
            await self._ctx.sleep(SWEEP_INTERVAL_S)


def _looked_at(stay: cache.Stay, store: BlobStore) -> cache.Stay:
    return structs.replace(stay, damaged=not store.has(stay.session_id))


def _session(ctx: Context) -> str:
    if not ctx.session:
        raise Denied("Open a session first: blobs belong to one.")
    return ctx.session
