"""The pages of each session, in documents, with what was done to them; durable before anybody is told."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Any, TypeVar

import msgspec

from actors.buffer.edits import Asked, plan
from actors.buffer.holds import claim, let_go
from actors.buffer.labels import labelled, missing, orphans
from actors.buffer.model import Edit, page_id_of
from actors.buffer.shelf import Book, Shelf
from bus import Actor, Context, on
from bus.codec import LETTER_LIMIT_BYTES
from schemas.buffer import (
    Append,
    Appended,
    Changed,
    Copied,
    Copy,
    CreateDocument,
    DefaultTag,
    DocumentCreated,
    Documents,
    Edited,
    Found,
    GetPage,
    ListDocuments,
    ListPages,
    Move,
    Pages,
    Remove,
    RemoveDocument,
    RenameDocument,
    Rescue,
    Rescued,
    Rotate,
    SetDefaultTag,
    Tag,
)
from schemas.cache import Hold, ListOwners, Release, SessionEnded
from schemas.config import Config
from schemas.errors import Denied, NotFound, ScanbusError, StorageFailed
from schemas.page import Page

IDLE_S = 300.0
"""How long the documents of a session that nobody asks for stay in memory."""
PAGES_BYTES = LETTER_LIMIT_BYTES * 3 // 4
"""Pages in one letter; the rest of it is room for what is around them."""
ResultT = TypeVar("ResultT")


class Buffer(Actor):
    """Documents in one SQLite file a session; the images lie in the blob store."""

    service = "buffer"

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self._opened = ExitStack()
        self._ended: set[str] = set()
        self._claimed: set[str] = set()
        """Sessions of which the cache was told what is whose, as once is enough in a life."""

    async def start(self, ctx: Context) -> None:
        """Forget sessions that have ended meanwhile."""
        self._shelf = self._opened.enter_context(closing(Shelf(ctx.store, ctx.now)))
        ctx.spawn(self._close_idle(ctx))

    async def stop(self) -> None:
        """Close what is open."""
        self._opened.close()

    @on(ListDocuments)
    async def list_documents(self, msg: ListDocuments, ctx: Context) -> Documents:
        """All documents."""
        async with self._book(ctx) as book:
            return Documents(documents=list(book.model.documents.values()), default_tag=book.model.default_tag)

    @on(ListPages)
    async def list_pages(self, msg: ListPages, ctx: Context) -> Pages:
        """A part of a document, as long as it fits into a letter."""
        async with self._book(ctx) as book:
            pages = book.model.listed(msg)
            document = book.model.document(msg.document_id)
        named = bool(msg.page_ids)
        return Pages(
            document_id="" if named else document.document_id,
            revision=0 if named else document.revision,
            total=len(pages),
            start=msg.start,
            pages=_fitting(pages[msg.start : msg.start + msg.count]),
        )

    @on(GetPage)
    async def get_page(self, msg: GetPage, ctx: Context) -> Found:
        """One page."""
        async with self._book(ctx) as book:
            entry = book.model.entry(msg.page_id)
            return Found(page=entry.page, document_id=entry.document_id)

    @on(Append)
    async def append(self, msg: Append, ctx: Context) -> Appended:
        """Keep an image as a page, once."""
        return await _surely(ctx, self._append(msg, ctx))

    @on(Rescue)
    async def rescue(self, msg: Rescue, ctx: Context) -> Rescued:
        """Append what a job kept."""
        return await _surely(ctx, self._rescue(msg, ctx))

    @on(Move)
    async def move(self, msg: Move, ctx: Context) -> Edited:
        """Put pages elsewhere."""
        return await self._edited(msg, ctx)

    @on(Copy)
    async def copy(self, msg: Copy, ctx: Context) -> Copied:
        """Put pages elsewhere, too."""
        return Copied(page_ids=(await self._edit(msg, ctx)).made)

    @on(Remove)
    async def remove(self, msg: Remove, ctx: Context) -> Edited:
        """Delete pages."""
        return await self._edited(msg, ctx)

    @on(Rotate)
    async def rotate(self, msg: Rotate, ctx: Context) -> Edited:
        """Turn pages."""
        return await self._edited(msg, ctx)

    @on(Tag)
    async def tag(self, msg: Tag, ctx: Context) -> Edited:
        """Tag pages."""
        return await self._edited(msg, ctx)

    @on(CreateDocument)
    async def create_document(self, msg: CreateDocument, ctx: Context) -> DocumentCreated:
        """Begin another document."""
        edit = await self._edit(msg, ctx)
        return DocumentCreated(document=edit.documents[edit.made[0]])

    @on(RenameDocument)
    async def rename_document(self, msg: RenameDocument, ctx: Context) -> Edited:
        """Give a document another name."""
        return await self._edited(msg, ctx)

    @on(RemoveDocument)
    async def remove_document(self, msg: RemoveDocument, ctx: Context) -> Edited:
        """Delete a document with its pages."""
        return await self._edited(msg, ctx)

    @on(SetDefaultTag)
    async def set_default_tag(self, msg: SetDefaultTag, ctx: Context) -> DefaultTag:
        """Tag what comes from now on."""
        await self._edit(msg, ctx)
        return DefaultTag()

    @on(SessionEnded)
    async def session_ended(self, msg: SessionEnded, ctx: Context) -> None:
        """Its pages cannot be read any more."""
        if ctx.session:
            self._ended.add(ctx.session)
            self._shelf.drop(ctx.session)

    async def _edited(self, msg: Asked, ctx: Context) -> Edited:
        return Edited(changes=(await self._edit(msg, ctx)).changes)

    async def _edit(self, msg: Asked, ctx: Context) -> Edit:
        return await _surely(ctx, self._change(msg, ctx))

    async def _change(self, msg: Asked, ctx: Context) -> Edit:
        async with self._book(ctx) as book, book.changing:
            edit = plan(book.model, msg, ctx.new_id)
            await self._commit(book, edit, ctx)
            return edit

    async def _append(self, msg: Append, ctx: Context) -> Appended:
        async with self._book(ctx) as book, book.changing:
            page = await self._keep(book, msg, ctx)
            entry = book.model.entries.get(page.page_id)
            return Appended(page=page, document_id=entry.document_id if entry is not None else "")

    async def _rescue(self, msg: Rescue, ctx: Context) -> Rescued:
        async with self._book(ctx) as book, book.changing:
            found = await ctx.offload(labelled, book.vault, book.model.images)
            kept = missing(book.model, found, msg.job_id)
            pages = [page for page in book.found if page.job_id == msg.job_id]
            pages += [await self._keep(book, each.append(book.model), ctx) for each in kept]
            book.found = [page for page in book.found if page.job_id != msg.job_id]
            return Rescued(pages=pages, last_number=book.model.last_number(msg.job_id))

    async def _keep(self, book: Book, msg: Append, ctx: Context) -> Page:
        """Append an image, unless it was before."""
        page = book.model.appended(msg)
        if page is not None:
            return page
        page_id = page_id_of(msg.job_id, msg.number) if msg.job_id else ctx.new_id()
        await ctx.call(Hold(owner=page_id, blobs=[msg.image.blob.name]))
        try:
            await self._commit(book, plan(book.model, msg, lambda: page_id), ctx)
        except StorageFailed:
            # Whoever asked is told that there is no such page: it must not come back by itself.
            await ctx.call(Release(owners=[page_id]))
            raise
        return book.model.entry(page_id).page

    @asynccontextmanager
    async def _book(self, ctx: Context) -> AsyncIterator[Book]:
        if not ctx.session:
            raise Denied("Open a session first: pages belong to one.")
        self._check(ctx)
        if ctx.session not in self._claimed or not self._shelf.has(ctx.session):
            await _surely(ctx, self._open(ctx))
            self._check(ctx)
        with self._shelf.use(ctx.session) as book:
            yield book

    async def _open(self, ctx: Context) -> None:
        book = await self._shelf.open(ctx.session)
        if book.missing:
            ctx.log.warning("pages were found that were in no list", pages=len(book.model.entries))
        elif book.rebuilt:
            ctx.log.warning("there was no order of pages, and it was made anew", pages=len(book.model.entries))
        for page_id in book.lost:
            ctx.log.error("a page is damaged and cannot be found again", page=page_id)
        if ctx.session not in self._claimed:
            if ctx.session in self._shelf.earlier:
                await self._adopt(book, ctx)
            self._claimed.add(ctx.session)
            if book.model.entries:
                ctx.spawn(self._claim(book, ctx))

    async def _adopt(self, book: Book, ctx: Context) -> None:
        """Append images that the cache knows as pages, while the list does not: damage made it an older one."""
        async with book.changing:
            found = orphans(book.model, await ctx.offload(labelled, book.vault, book.model.images))
            owners = set((await ctx.call(ListOwners())).owners) if found else set()
            for each in found:
                if each.page().page_id in owners:
                    book.found.append(await self._keep(book, each.append(book.model), ctx))
        if book.found:
            ctx.log.warning("pages were in no list, and are the last ones now", pages=len(book.found))

    async def _claim(self, book: Book, ctx: Context) -> None:
        """Have the cache know whose images are whose, whatever a crash or damage has made of that."""
        async with book.changing:
            await claim(book.model, ctx)

    async def _commit(self, book: Book, edit: Edit, ctx: Context) -> None:
        """Make an edit durable, tell of it, then let go of what it took away."""
        if not edit:
            return
        self._check(ctx)
        await book.commit(edit)
        self._tell(edit, ctx)
        if edit.removed:
            await let_go(edit, book.model, ctx)

    def _check(self, ctx: Context) -> None:
        """Raises NotFound when the session has ended: nothing may be kept for it any more."""
        if ctx.session in self._ended or not ctx.store.has(ctx.session):
            raise NotFound("There is no such session.")

    def _tell(self, edit: Edit, ctx: Context) -> None:
        for change in edit.changes:
            ctx.publish(Changed(change=change))

    async def _close_idle(self, ctx: Context) -> None:
        while True:
            await ctx.sleep(IDLE_S / 5)
            self._shelf.close_idle(IDLE_S)


def _fitting(pages: list[Page]) -> list[Page]:
    """As many of them as fit into a letter, at least one."""
    left = PAGES_BYTES
    for count, page in enumerate(pages):
        left -= len(msgspec.msgpack.encode(page))
        if left < 0 and count:
            return pages[:count]
    return pages


async def _surely(ctx: Context, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Do it to its end, even when nobody waits any more: memory must follow what was committed."""
    done: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        try:
            result = await work
        except ScanbusError as error:
            if not done.done():
                done.set_exception(error)
        else:
            if not done.done():
                done.set_result(result)
        finally:
            # Nothing was set where it failed otherwise, which the log then says.
            done.cancel()

    ctx.spawn(run())
    return await done
