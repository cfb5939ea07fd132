"""What is done in a session, and what must be there from then on: without it, nobody could say what was lost."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Never, TypeVar

from bus import Context
from schemas import buffer, kept
from schemas.cache import BeginSession, EndSession
from schemas.device import Scan, ScannedPage, Settings
from schemas.errors import Damaged, NotFound, ScanbusError
from schemas.message import Request
from schemas.page import Color, Image, Page, Source
from tests.house import House
from tests.paper import PNM, gray, pnm
from tests.torture.calls import Shim

ORIGIN = "https://story.example"
PageState = list[Any]
"""Id, digest of the image, rotation, tags, and the name of its document."""
State = list[PageState] | None
"""All pages of a session, document by document; None for one that has ended."""
ReplyT = TypeVar("ReplyT")


class Diary:
    """One session; each step is noted when it was acknowledged."""

    def __init__(self, ctx: Context, key: bytes, shim: Shim | None) -> None:
        self.ctx = ctx
        self.pages: list[PageState] = []
        self.tag = ""
        self._key = key
        self._shim = shim
        self._step = 0
        self._documents = {"": ""}
        self._note(self.pages)

    @classmethod
    async def begin(cls, here: House, shim: Shim | None = None) -> "Diary":
        """Begin a session. Raises ScanbusError."""
        session = (await here.caller.ctx.call(BeginSession(origin=ORIGIN))).session_id
        key = (here.store.folder / "session-keys" / session).read_bytes()[:32]
        return cls(here.caller.ctx.on_behalf(session), key, shim)

    async def scan(self, pages: int) -> None:
        self._step += 1
        settings = Settings(source=Source.FEEDER, color=Color.GRAY, resolution_dpi=75, pages=pages)
        async with self.ctx.stream(Scan(device_id="virtual:sample", settings=settings)) as stream:
            async for part in stream:
                if isinstance(part, ScannedPage):
                    self.pages = self._in_order([*self.pages, await page_state(self.ctx, part.page)])
                    self._note(self.pages)
            await stream.reply()

    async def put(self, number: int, data: bytes = b"") -> None:
        """A page that came otherwise; without data, a small one."""
        media_type, data = ("image/jpeg", data) if data else (PNM, small_page(number))
        new = ["", hashlib.sha256(data).hexdigest(), 0, [self.tag] if self.tag else [], ""]

        async def append() -> list[PageState]:
            blob = await self.ctx.put(data, media_type)
            image = Image(blob=blob, width_px=4, height_px=6, resolution_dpi=100, color=Color.GRAY)
            page = (await self.ctx.call(buffer.Append(image=image))).page
            return self._in_order([*self.pages, [page.page_id, *new[1:]]])

        await self._do(append, self._in_order([*self.pages, new]))

    async def move(self, numbers: list[int], position: int) -> None:
        """Within the first document, which comes first."""
        moved = [self.pages[number] for number in numbers]
        rest = [page for page in self.pages if page not in moved]
        after = rest[:position] + moved + rest[position:]
        await self._ask(buffer.Move(page_ids=_ids(moved), position=position), after)

    async def create(self, name: str) -> None:
        self._step += 1
        created = await self.ctx.call(buffer.CreateDocument(name=name))
        self._documents[name] = created.document.document_id
        self._note(self.pages)

    async def file(self, numbers: list[int], name: str) -> None:
        """Move pages to the end of another document."""
        moved = [self.pages[number] for number in numbers]
        rest = [page for page in self.pages if page not in moved]
        after = self._in_order([*rest, *([*page[:4], name] for page in moved)])
        await self._ask(
            buffer.Move(page_ids=_ids(moved), position=buffer.PAGES, document_id=self._documents[name]), after
        )

    async def copy(self, numbers: list[int]) -> None:
        """To the end of the first document."""
        copies = [["", *self.pages[number][1:4], ""] for number in numbers]
        ids = _ids([self.pages[number] for number in numbers])
        first = buffer.FIRST

        async def copy() -> list[PageState]:
            copied = await self.ctx.call(buffer.Copy(page_ids=ids, position=buffer.PAGES, document_id=first))
            named = [[page_id, *page[1:]] for page_id, page in zip(copied.page_ids, copies, strict=True)]
            return self._in_order([*self.pages, *named])

        await self._do(copy, self._in_order([*self.pages, *copies]))

    async def rotate(self, numbers: list[int], degrees: int) -> None:
        after = [
            [*page[:2], (page[2] + degrees) % 360, *page[3:]] if number in numbers else page
            for number, page in enumerate(self.pages)
        ]
        ids = _ids([self.pages[number] for number in numbers])
        await self._ask(buffer.Rotate(page_ids=ids, degrees=degrees), after)

    async def label(self, numbers: list[int], tag: str) -> None:
        after = [
            [*page[:3], [*page[3], tag], page[4]] if number in numbers else page
            for number, page in enumerate(self.pages)
        ]
        ids = _ids([self.pages[number] for number in numbers])
        await self._ask(buffer.Tag(page_ids=ids, add=[tag]), after)

    async def remove(self, numbers: list[int]) -> None:
        gone = [self.pages[number] for number in numbers]
        after = [page for page in self.pages if page not in gone]
        await self._ask(buffer.Remove(page_ids=_ids(gone)), after)

    async def end(self) -> None:
        self._step += 1
        await self.ctx.call(EndSession())
        self._note(None, key=self._key.hex())

    async def _ask(self, request: Request[Any, Never], after: list[PageState]) -> None:
        async def ask() -> list[PageState]:
            await self.ctx.call(request)
            return after

        await self._do(ask, after)

    async def _do(self, work: Callable[[], Awaitable[list[PageState]]], after: list[PageState]) -> None:
        """One step: `work` gives the pages that are there afterwards, `after` says so before, without new names."""
        self._step += 1
        self.pages = await work()
        self._note(self.pages)

    def _in_order(self, pages: list[PageState]) -> list[PageState]:
        return [page for name in self._documents for page in pages if page[4] == name]

    def _note(self, state: State, **more: str) -> None:
        if self._shim is not None:
            self._shim.mark({"of": self.ctx.session, "step": self._step, "state": state, **more})


class KeptDiary:
    """One kept document; its pages have no ids, as they get new ones wherever they are loaded."""

    def __init__(self, name: str, shim: Shim | None = None) -> None:
        self.name = name
        self.state: State = None
        self._shim = shim
        self._step = 0

    async def create(self, diary: Diary) -> None:
        await self._ask(kept.Create(name=self.name), [], diary)

    async def save(self, diary: Diary) -> None:
        """All pages of the session's first document, instead of what is there."""
        pages = [["", *page[1:]] for page in diary.pages if not page[4]]
        await self._ask(kept.Save(name=self.name, replace=True), pages, diary)

    async def remove(self, diary: Diary) -> None:
        await self._ask(kept.Remove(name=self.name), None, diary)

    async def _ask(self, request: Request[Any, Any], after: State, diary: Diary) -> None:
        self._step += 1
        await diary.ctx.call(request)
        self.state = after
        if self._shim is not None:
            self._shim.mark({"of": f"kept:{self.name}", "step": self._step, "state": after})


async def state_of(ctx: Context) -> list[PageState]:
    """What the actors say that a session has; every image is read. Raises ScanbusError."""
    found = []
    for document in (await ctx.call(buffer.ListDocuments())).documents:
        pages = (await ctx.call(buffer.ListPages(document_id=document.document_id))).pages
        found += [await page_state(ctx, page, str(document.name)) for page in pages]
    return found


async def kept_state_of(here: House, name: str) -> State:
    """What a kept document has: it is loaded into a new session. Raises ScanbusError, where a page is damaged too."""
    ctx = (await Diary.begin(here)).ctx
    try:
        loaded = await ctx.call(kept.Load(name=name))
    except NotFound:
        return None
    if loaded.damaged:
        raise Damaged(pages=" ".join(loaded.damaged))
    return [["", *page[1:]] for page in await state_of(ctx)]


async def page_state(ctx: Context, page: Page, document: str = "", told: list[str] | None = None) -> PageState:
    """One page; with `told`, an image that cannot be read is `<code> <blob>`. Raises ScanbusError."""
    try:
        digest = hashlib.sha256(await ctx.read(page.image.blob)).hexdigest()
    except ScanbusError as error:
        if told is None:
            raise
        told.append(f"{error.code} {error.text} {error.data}")
        digest = f"{error.code} {page.image.blob.name}"
    return [page.page_id, digest, page.rotation_degrees, [str(tag) for tag in page.tags], document]


def small_page(number: int) -> bytes:
    return pnm(Color.GRAY, 4, 6, gray(shade=lambda x, y: (number + 40 * x + 7 * y) % 256))


def unnamed(state: State, known: set[str]) -> State:
    """The same without the names of new pages: nobody was told of them, and they may be found again under others."""
    return None if state is None else [page if page[0] in known else ["", *page[1:]] for page in state]


def _ids(pages: list[PageState]) -> list[str]:
    return [page[0] for page in pages]
