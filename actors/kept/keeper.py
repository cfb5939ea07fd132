"""Documents that outlive sessions: whoever keeps one finds it again tomorrow, after an upgrade, from another tab."""

import secrets
import unicodedata
from contextlib import suppress

import msgspec

from actors.kept.document import Document, Manifest
from actors.kept.locks import KEY_BYTES, Locksmith
from actors.kept.shelf import Shelf
from bus import Actor, Context, on
from schemas import buffer
from schemas.cache import GetSession, Room
from schemas.config import Config
from schemas.errors import Conflict, Damaged, Denied, NotFound, TooLarge
from schemas.kept import (
    PAGES_LIMIT,
    Create,
    Created,
    Existence,
    Exists,
    GetMetadata,
    Kept,
    ListKept,
    ListPages,
    Load,
    Loaded,
    Noted,
    Pages,
    PagesRemoved,
    Progress,
    Remove,
    Removed,
    RemovePages,
    Save,
    Saved,
    SetMetadata,
)
from schemas.page import Page

LETTER_BYTES = 900_000
"""Of pages in one letter; the limit of letters is above."""


_OfDocument = Save | Load | ListPages | RemovePages | GetMetadata | SetMetadata | Remove


class Keeper(Actor):
    """Documents of all origins; each opens for its own origin only, and for whoever knows its password."""

    service = "kept"

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self._locksmith = Locksmith()

    async def start(self, ctx: Context) -> None:
        """Finish what a crash interrupted."""
        self._shelf = Shelf(ctx.store.folder)
        ctx.spawn(self._shelf.sweep())

    async def stop(self) -> None:
        """Finish what is under way."""
        self._locksmith.close()
        self._shelf.close()

    @on(Create)
    async def create(self, msg: Create, ctx: Context) -> Created:
        """Begin a document under a key of its own."""
        origin, name = await _origin(ctx), msg.name or ctx.new_id()
        key = secrets.token_bytes(KEY_BYTES)
        lock = await self._locksmith.make(key, msg.password)
        await self._shelf.do(self._shelf.archive.create, origin, _typed(name), key, lock, msg.metadata)
        return Created(name=name)

    @on(Exists)
    async def exists(self, msg: Exists, ctx: Context) -> Existence:
        """A damaged one exists, too."""
        folder = await self._folder(msg.name, ctx)
        try:
            lock = await self._shelf.do(self._shelf.archive.lock, folder)
        except Damaged:
            return Existence(exists=True)
        return Existence(exists=lock is not None, protected=lock is not None and lock.protected)

    @on(ListKept)
    async def list_kept(self, msg: ListKept, ctx: Context) -> Kept:
        """A part of them."""
        found = await self._shelf.do(self._shelf.archive.of_origin, await _origin(ctx))
        return Kept(total=len(found), start=msg.start, documents=found[msg.start : msg.start + msg.count])

    @on(Save)
    async def save(self, msg: Save, ctx: Context) -> Saved:
        """Adopt the blobs, then name them: what nobody names was never saved."""
        folder, document = await self._open(msg, ctx)
        with self._shelf.using(folder, alone=True):
            before = await self._shelf.do(document.read)
            kept = [] if msg.replace else before.pages
            pages = await _pages_of_session(msg, ctx)
            if len(kept) + len(pages) > PAGES_LIMIT:
                raise TooLarge(f"A kept document has at most {PAGES_LIMIT} pages.")
            new = [msgspec.structs.replace(page, page_id=ctx.new_id(), job_id="", number=0) for page in pages]
            at = len(kept) if msg.position < 0 else msg.position
            try:
                await self._adopt(document, pages, ctx)
                await self._change(document, before, pages=[*kept[:at], *new, *kept[at:]])
            finally:
                await self._shelf.tidy(document)
        return Saved(page_ids=[page.page_id for page in new], pages=len(kept) + len(new))

    @on(Load)
    async def load(self, msg: Load, ctx: Context) -> Loaded:
        """Hand the pages to the buffer one by one; those that came before it fails or is canceled stay."""
        folder, document = await self._open(msg, ctx)
        with self._shelf.using(folder):
            manifest = await self._shelf.do(document.read)
            chosen = _chosen(manifest.pages, msg.page_ids) if msg.page_ids else manifest.pages
            vault = await self._shelf.do(ctx.store.vault, _session(ctx))
            page_ids, damaged = [], []
            for number, page in enumerate(chosen, 1):
                await ctx.call(Room())
                try:
                    await self._shelf.do(vault.adopt, document.vault, page.image.blob.name)
                except (Damaged, NotFound):
                    if not ctx.store.has(ctx.session):
                        raise
                    ctx.log.warning("a kept page is damaged", folder=folder, page=page.page_id)
                    damaged.append(page.page_id)
                else:
                    appended = await ctx.call(
                        buffer.Append(
                            image=page.image,
                            document_id=msg.document_id,
                            rotation_degrees=page.rotation_degrees,
                            tags=page.tags,
                        )
                    )
                    page_ids.append(appended.page.page_id)
                ctx.part(Progress(pages=number, total=len(chosen)))
        return Loaded(page_ids=page_ids, metadata=manifest.metadata, damaged=damaged)

    @on(ListPages)
    async def list_pages(self, msg: ListPages, ctx: Context) -> Pages:
        """As many as a letter can take."""
        _, document = await self._open(msg, ctx)
        pages = (await self._shelf.do(document.read)).pages
        shown: list[Page] = []
        room = LETTER_BYTES
        for page in pages[msg.start : msg.start + msg.count]:
            room -= len(msgspec.msgpack.encode(page))
            if room < 0:
                break
            shown.append(page)
        return Pages(total=len(pages), start=msg.start, pages=shown)

    @on(RemovePages)
    async def remove_pages(self, msg: RemovePages, ctx: Context) -> PagesRemoved:
        """Forget them, then delete their blobs."""
        folder, document = await self._open(msg, ctx)
        with self._shelf.using(folder, alone=True):
            before = await self._shelf.do(document.read)
            gone = {page.page_id for page in _chosen(before.pages, msg.page_ids)}
            left = [page for page in before.pages if page.page_id not in gone]
            await self._change(document, before, pages=left)
            await self._shelf.tidy(document)
        return PagesRemoved(pages=len(left))

    @on(GetMetadata)
    async def get_metadata(self, msg: GetMetadata, ctx: Context) -> Noted:
        """As it was last set."""
        _, document = await self._open(msg, ctx)
        manifest = await self._shelf.do(document.read)
        return Noted(metadata=manifest.metadata, pages=len(manifest.pages))

    @on(SetMetadata)
    async def set_metadata(self, msg: SetMetadata, ctx: Context) -> Noted:
        """All of it."""
        folder, document = await self._open(msg, ctx)
        with self._shelf.using(folder, alone=True):
            before = await self._shelf.do(document.read)
            await self._change(document, before, metadata=msg.metadata)
        return Noted(metadata=msg.metadata, pages=len(before.pages))

    @on(Remove)
    async def remove(self, msg: Remove, ctx: Context) -> Removed:
        """Destroy the key first: from then on nothing can be read."""
        folder = await self._folder(msg.name, ctx)
        with suppress(Damaged):
            await self._open(msg, ctx)
        with self._shelf.using(folder, alone=True):
            await self._shelf.do(self._shelf.archive.remove, folder)
        return Removed()

    async def _open(self, msg: _OfDocument, ctx: Context) -> tuple[str, Document]:
        folder = await self._folder(msg.name, ctx)
        lock = await self._shelf.do(self._shelf.archive.lock, folder)
        key = await self._locksmith.open(folder, lock, msg.password, ctx.now)
        return folder, self._shelf.archive.document(folder, key)

    async def _folder(self, name: str, ctx: Context) -> str:
        return await self._shelf.do(self._shelf.archive.folder, await _origin(ctx), _typed(name))

    async def _adopt(self, document: Document, pages: list[Page], ctx: Context) -> None:
        vault = await self._shelf.do(ctx.store.vault, _session(ctx))
        for number, page in enumerate(pages, 1):
            try:
                await self._shelf.do(document.vault.adopt, vault, page.image.blob.name)
            except Damaged as error:
                raise Damaged(
                    f"Page {number} is damaged: remove it, then save again. Nothing was saved.", page_id=page.page_id
                ) from error
            ctx.part(Progress(pages=number, total=len(pages)))

    async def _change(self, document: Document, before: Manifest, **changes: object) -> None:
        after = msgspec.structs.replace(before, revision=before.revision + 1, **changes)
        await self._shelf.do(document.write, after)


async def _origin(ctx: Context) -> str:
    """Whose documents these are."""
    _session(ctx)
    return (await ctx.call(GetSession())).session.origin


def _session(ctx: Context) -> str:
    if not ctx.session:
        raise Denied("Open a session first: kept documents belong to its origin.")
    return ctx.session


def _typed(name: str) -> str:
    # The same letters, typed on another system, may be other code points.
    return unicodedata.normalize("NFC", name)


def _chosen(pages: list[Page], page_ids: list[str]) -> list[Page]:
    by_id = {page.page_id: page for page in pages}
    if missing := set(page_ids) - by_id.keys():
        raise NotFound(f"{len(missing)} of these pages are not in this document. Ask for its pages again.")
    return [by_id[each] for each in page_ids]


async def _pages_of_session(msg: Save, ctx: Context) -> list[Page]:
    found: list[Page] = []
    revisions = set()
    while True:
        part = await ctx.call(buffer.ListPages(document_id=msg.document_id, page_ids=msg.page_ids, start=len(found)))
        found += part.pages
        revisions.add(part.revision)
        if len(revisions) > 1:
            raise Conflict("The session's pages changed while they were saved. Save again.")
        if not part.pages or len(found) >= part.total:
            break
    if not found:
        raise Conflict("There are no pages to save. Scan first.")
    return found
