"""A scripted day of a few sessions, in one process under the shim, which notes what was acknowledged after which call.

`python -m tests.torture.story FOLDER` lives it below `FOLDER/state`.
"""

import asyncio
import hashlib
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Never

from bus import Context
from schemas.buffer import Append, ListPages, Move, Remove, Rotate
from schemas.cache import EndSession
from schemas.config import Config
from schemas.device import Scan, ScannedPage, Settings
from schemas.message import Request
from schemas.page import Color, Image, Source
from tests.house import House, house, virtual_config
from tests.paper import PNM, gray, pnm, small_stack
from tests.torture.calls import Shim

Pages = list[list[Any]]
"""In order, each as id, digest of its image, and edits."""
State = Pages | None
"""None for a session that has ended."""
BIG_BYTES = (1 << 20) + 4321
"""More than one piece of a sealed file."""


class Diary:
    """One session: what is done in it, and what must be there from then on."""

    def __init__(self, here: House, shim: Shim, ctx: Context) -> None:
        self.ctx = ctx
        self.pages: Pages = []
        self._key = (here.store.folder / "session-keys" / ctx.session).read_bytes()
        self._shim = shim
        self._step = 0
        self._note(self.pages)

    async def scan(self, pages: int) -> None:
        self._step += 1
        settings = Settings(source=Source.FEEDER, color=Color.GRAY, resolution_dpi=75, pages=pages)
        async with self.ctx.stream(Scan(device_id="virtual:sample", settings=settings)) as stream:
            async for part in stream:
                if isinstance(part, ScannedPage):
                    self.pages = [*self.pages, [part.page.page_id, await digest(self.ctx, part.page.image), 0]]
                    self._note(self.pages)
            await stream.reply()

    async def put(self, data: bytes, media_type: str) -> None:
        async def append() -> Pages:
            blob = await self.ctx.put(data, media_type)
            image = Image(blob=blob, width_px=4, height_px=6, resolution_dpi=100, color=Color.GRAY)
            page = (await self.ctx.call(Append(image=image))).page
            return [*self.pages, [page.page_id, sha, 0]]

        sha = hashlib.sha256(data).hexdigest()
        await self._do(append, [*self.pages, ["", sha, 0]])

    async def move(self, numbers: list[int], position: int) -> None:
        moved = [self.pages[number] for number in numbers]
        rest = [page for page in self.pages if page not in moved]
        await self._ask(Move(page_ids=_ids(moved), position=position), rest[:position] + moved + rest[position:])

    async def rotate(self, numbers: list[int], degrees: int) -> None:
        pages = [
            [*page[:2], (page[2] + degrees) % 360] if number in numbers else page
            for number, page in enumerate(self.pages)
        ]
        await self._ask(Rotate(page_ids=_ids([self.pages[number] for number in numbers]), degrees=degrees), pages)

    async def remove(self, numbers: list[int]) -> None:
        gone = [self.pages[number] for number in numbers]
        await self._ask(Remove(page_ids=_ids(gone)), [page for page in self.pages if page not in gone])

    async def end(self) -> None:
        self._step += 1
        await self.ctx.call(EndSession())
        self._note(None, key=self._key.hex())

    async def _ask(self, request: Request[Any, Never], after: Pages) -> None:
        async def ask() -> Pages:
            await self.ctx.call(request)
            return after

        await self._do(ask, after)

    async def _do(self, work: Callable[[], Awaitable[Pages]], after: Pages) -> None:
        """One step: `work` gives the pages that are there afterwards, `after` says so before, without new names."""
        self._step += 1
        self.pages = await work()
        self._note(self.pages)

    def _note(self, state: State, **more: str) -> None:
        self._shim.mark({"session": self.ctx.session, "step": self._step, "state": state, **more})


def _ids(pages: Pages) -> list[str]:
    return [page[0] for page in pages]


async def digest(ctx: Context, image: Image) -> str:
    return hashlib.sha256(await ctx.read(image.blob)).hexdigest()


async def state_of(ctx: Context) -> Pages:
    """What the actors say that a session has; every image is read. Raises ScanbusError."""
    pages = (await ctx.call(ListPages())).pages
    return [[page.page_id, await digest(ctx, page.image), page.rotation_degrees] for page in pages]


def unnamed(state: State, known: set[str]) -> State:
    """The same without the names of new pages: nobody was told of them, and they may be found again under others."""
    return None if state is None else [page if page[0] in known else ["", *page[1:]] for page in state]


def story_config(folder: Path) -> Config:
    return virtual_config(folder, folder=str(folder / "paper"))


def small_page(number: int) -> bytes:
    return pnm(Color.GRAY, 4, 6, gray(shade=lambda x, y: (number + 40 * x + 7 * y) % 256))


async def live(folder: Path, shim: Shim) -> None:
    chance = random.Random(4)
    async with house(story_config(folder)) as here:
        first = Diary(here, shim, here.session())
        await first.scan(3)
        second = Diary(here, shim, here.session())
        await asyncio.gather(first.rotate([1], 90), second.scan(4))
        await first.move([2, 0], 0)
        await second.remove([1, 2])
        for number in range(6):
            await first.put(small_page(number), PNM)
        await first.put(chance.randbytes(BIG_BYTES), "image/jpeg")
        await first.remove([0, 4])
        gone = Diary(here, shim, here.session())
        await gone.scan(2)
        await gone.put(small_page(0), PNM)
        await asyncio.gather(gone.end(), second.move([1], 0))
        await second.scan(2)
        await first.rotate([0, 3, 5], 270)
    async with house(story_config(folder)) as here:
        third = Diary(here, shim, here.session())
        await third.put(small_page(7), PNM)
        await third.scan(2)
        await third.remove([0])


def main() -> None:
    folder = Path(sys.argv[1])
    small_stack(folder / "paper", 4)
    asyncio.run(live(folder, Shim()))


if __name__ == "__main__":
    main()
