"""The blob store's owner: who holds which bytes, what is deleted, how much room there is."""

from contextlib import ExitStack, closing, suppress

from actors.database import Database
from bus import Actor, Context, on
from schemas.cache import Ended, EndSession, GetUsage, Held, Hold, Release, Released, SessionEnded, Usage
from schemas.config import Config
from schemas.errors import Denied, NotFound, ScanbusError

SWEEP_INTERVAL_S = 600.0
UNOWNED_S = 3600.0
"""How old a blob without an owner gets: long enough for whoever wrote it to say whose it is."""
EMPTY_SESSION_S = 86400.0
"""How long a session without anything in it is kept."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS holds (
    session TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (session, owner, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_name ON holds (session, name);
"""


class Cache(Actor):
    """Owners in SQLite, bytes in the blob store: a blob goes when its last owner lets go."""

    service = "cache"

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self._opened = ExitStack()

    async def start(self, ctx: Context) -> None:
        """Open the database and keep the store tidy."""
        self._db = self._opened.enter_context(closing(Database(ctx.store.folder / "cache.sqlite", _SCHEMA)))
        ctx.spawn(self._keep_tidy(ctx))

    async def stop(self) -> None:
        """Close the database."""
        self._opened.close()

    @on(Hold)
    async def hold(self, msg: Hold, ctx: Context) -> Held:
        """Own blobs."""

        def write() -> None:
            for name in msg.blobs:
                if not ctx.store.exists(_session(ctx), name):
                    raise NotFound(f"There is no blob {name} in this session.")
            rows = [(ctx.session, name, msg.owner) for name in msg.blobs]
            self._db.execute("INSERT OR IGNORE INTO holds VALUES (?, ?, ?)", rows)

        await self._db.change(write)
        return Held()

    @on(Release)
    async def release(self, msg: Release, ctx: Context) -> Released:
        """Let go, and delete what nobody owns any more."""
        await self._db.change(lambda: self._let_go(_session(ctx), msg.owners, ctx))
        return Released()

    @on(EndSession)
    async def end_session(self, msg: EndSession, ctx: Context) -> Ended:
        """Destroy the key first: from then on nothing can be read."""
        await self._db.change(lambda: self._end(_session(ctx), ctx))
        ctx.publish(SessionEnded())
        return Ended()

    @on(GetUsage)
    async def get_usage(self, msg: GetUsage, ctx: Context) -> Usage:
        """Count what there is."""

        def count() -> Usage:
            sizes = [size for session in ctx.store.sessions() for size in ctx.store.names(session).values()]
            return Usage(
                disk_bytes=sum(sizes),
                disk_free_bytes=ctx.store.free_bytes(),
                blobs=len(sizes),
                sessions=len(ctx.store.sessions()),
                memory_limit_bytes=self.config.cache.memory_limit_mb << 20,
            )

        return await ctx.offload(count)

    def _let_go(self, session: str, owners: list[str], ctx: Context) -> None:
        query = "SELECT name FROM holds WHERE session = ? AND owner = ?"
        names = {name for owner in owners for (name,) in self._db.rows(query, session, owner)}
        self._db.execute("DELETE FROM holds WHERE session = ? AND owner = ?", [(session, each) for each in owners])
        for name in names:
            if not self._owned(session, name):
                ctx.store.delete(session, name)

    def _owned(self, session: str, name: str) -> bool:
        return bool(self._db.rows("SELECT 1 FROM holds WHERE session = ? AND name = ?", session, name))

    def _end(self, session: str, ctx: Context) -> None:
        ctx.store.end(session)
        self._db.execute("DELETE FROM holds WHERE session = ?", [(session,)])

    async def _keep_tidy(self, ctx: Context) -> None:
        while True:
            try:
                await self._db.change(lambda: self._sweep(ctx))
            except ScanbusError as error:
                ctx.log.warning("the store could not be tidied", code=error.code, reason=error.text)
            await ctx.sleep(SWEEP_INTERVAL_S)

    def _sweep(self, ctx: Context) -> None:
        """Delete what a crash left behind."""
        for session in ctx.store.sessions():
            names = ctx.store.names(session)
            for name in names:
                # A page that was finished since is no longer where it was.
                with suppress(FileNotFoundError):
                    if not self._owned(session, name) and ctx.store.age_s(session, name) > UNOWNED_S:
                        ctx.store.delete(session, name)
            if not names and ctx.store.session_age_s(session) > EMPTY_SESSION_S:
                self._end(session, ctx)


def _session(ctx: Context) -> str:
    if not ctx.session:
        raise Denied("Open a session first: blobs belong to one.")
    return ctx.session
