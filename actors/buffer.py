"""The pages of each session, in order, with what was done to them; durable before anybody is told."""

from collections.abc import Callable
from contextlib import ExitStack, closing

import msgspec

from actors.database import Database
from bus import Actor, Context, on
from schemas.buffer import Append, Appended, Changed, Found, GetPage, ListPages, Move, Pages, Remove, Rotate
from schemas.cache import Hold, Release, SessionEnded
from schemas.config import Config
from schemas.errors import Denied, NotFound
from schemas.page import Image, Page

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pages (
    session TEXT NOT NULL,
    position INTEGER NOT NULL,
    page_id TEXT PRIMARY KEY,
    image BLOB NOT NULL,
    rotation_degrees INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_session ON pages (session, position);
"""
_SELECT = "SELECT page_id, image, rotation_degrees FROM pages WHERE session = ?"
_FORGET = "DELETE FROM pages WHERE session = ?"
_APPEND = """
INSERT INTO pages (session, position, page_id, image)
VALUES (?, (SELECT COALESCE(MAX(position) + 1, 0) FROM pages WHERE session = ?), ?, ?)
"""


class Buffer(Actor):
    """Order and edits in SQLite; the images lie in the blob store, held under each page's id."""

    service = "buffer"

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self._opened = ExitStack()

    async def start(self, ctx: Context) -> None:
        """Open the database, and forget sessions that have ended meanwhile."""
        self._db = self._opened.enter_context(closing(Database(ctx.store.folder / "buffer.sqlite", _SCHEMA)))
        known = set(ctx.store.sessions())
        ended = [row for row in self._db.rows("SELECT DISTINCT session FROM pages") if row[0] not in known]
        await self._db.change(lambda: self._db.execute(_FORGET, ended))

    async def stop(self) -> None:
        """Close the database."""
        self._opened.close()

    @on(ListPages)
    async def list_pages(self, msg: ListPages, ctx: Context) -> Pages:
        """All pages, in order."""
        return Pages(pages=self._pages(_session(ctx)))

    @on(GetPage)
    async def get_page(self, msg: GetPage, ctx: Context) -> Found:
        """One page."""
        rows = self._db.rows(f"{_SELECT} AND page_id = ?", _session(ctx), msg.page_id)
        if not rows:
            raise NotFound("There is no such page in this session.")
        return Found(page=_page(rows[0]))

    @on(Append)
    async def append(self, msg: Append, ctx: Context) -> Appended:
        """Keep an image as the last page; it is the page's from then on."""
        page = Page(page_id=ctx.new_id(), image=msg.image)
        session = _session(ctx)
        await ctx.call(Hold(owner=page.page_id, blobs=[msg.image.blob.name]))
        row = (session, session, page.page_id, msgspec.msgpack.encode(page.image))
        await self._change(ctx, lambda: self._db.execute(_APPEND, [row]))
        return Appended(page=page)

    @on(Move)
    async def move(self, msg: Move, ctx: Context) -> Pages:
        """Put pages elsewhere."""
        session = _session(ctx)

        def reorder() -> None:
            before = self._known(session, msg.page_ids)
            moved = list(dict.fromkeys(msg.page_ids))
            rest = [page_id for page_id in before if page_id not in set(moved)]
            after = rest[: msg.position] + moved + rest[msg.position :]
            self._db.execute("UPDATE pages SET position = ? WHERE page_id = ?", enumerate(after))

        await self._change(ctx, reorder)
        return Pages(pages=self._pages(session))

    @on(Remove)
    async def remove(self, msg: Remove, ctx: Context) -> Pages:
        """Delete pages."""
        session = _session(ctx)

        def delete() -> None:
            self._known(session, msg.page_ids)
            self._db.execute("DELETE FROM pages WHERE page_id = ?", [(each,) for each in msg.page_ids])

        await self._change(ctx, delete)
        await ctx.call(Release(owners=msg.page_ids))
        return Pages(pages=self._pages(session))

    @on(Rotate)
    async def rotate(self, msg: Rotate, ctx: Context) -> Pages:
        """Turn pages."""
        session = _session(ctx)

        def turn() -> None:
            self._known(session, msg.page_ids)
            self._db.execute(
                "UPDATE pages SET rotation_degrees = (rotation_degrees + ?) % 360 WHERE page_id = ?",
                [(msg.degrees, each) for each in dict.fromkeys(msg.page_ids)],
            )

        await self._change(ctx, turn)
        return Pages(pages=self._pages(session))

    @on(SessionEnded)
    async def session_ended(self, msg: SessionEnded, ctx: Context) -> None:
        """Its pages cannot be read any more."""
        await self._change(ctx, lambda: self._db.execute(_FORGET, [(ctx.session,)]))

    def _pages(self, session: str) -> list[Page]:
        return [_page(row) for row in self._db.rows(f"{_SELECT} ORDER BY position", session)]

    def _known(self, session: str, page_ids: list[str]) -> list[str]:
        """All page ids of the session, in order. Raises NotFound where one asked for is not among them."""
        known = [row[0] for row in self._db.rows(f"{_SELECT} ORDER BY position", session)]
        missing = set(page_ids) - set(known)
        if missing:
            raise NotFound(f"{len(missing)} of these pages are not in this session. Ask for the pages again.")
        return known

    async def _change(self, ctx: Context, change: Callable[[], object]) -> None:
        await self._db.change(change)
        ctx.publish(Changed())


def _session(ctx: Context) -> str:
    if not ctx.session:
        raise Denied("Open a session first: pages belong to one.")
    return ctx.session


def _page(row: tuple[str, bytes, int]) -> Page:
    page_id, image, rotation_degrees = row
    return Page(page_id=page_id, image=msgspec.msgpack.decode(image, type=Image), rotation_degrees=rotation_degrees)
