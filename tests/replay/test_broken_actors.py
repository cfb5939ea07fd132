"""An actor that was changed is found out: here each is broken in a way in which a programmer could break it."""

import asyncio
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.buffer import Buffer
from actors.buffer.model import Edit
from actors.cache import Cache
from actors.device.host import DriverHost
from actors.device.scanners import Scanners
from actors.image import Pictures
from actors.kept.document import Document
from actors.kept.keeper import Keeper
from actors.pdf import Pdf
from bus import Actor, Context, on
from schemas.buffer import Append, Appended, ListPages, Pages
from schemas.cache import Ended, EndSession, Held, Hold
from schemas.device import Capabilities, Describe, Described, Jobs, ListJobs
from schemas.driver import Acquire, Acquired, Find, Found
from schemas.image import Render, Rendered
from schemas.kept import Save, Saved
from schemas.page import Page
from schemas.pdf import Create, Created
from tests.replay.play import play, play_whole
from tests.replay.record import TRACES
from tests.replay.stories import config_for


class BufferThatForgetsToTell(Buffer):
    def _tell(self, edit: Edit, ctx: Context) -> None:
        pass


class BufferInAnotherOrder(Buffer):
    @on(ListPages)
    async def list_pages(self, msg: ListPages, ctx: Context) -> Pages:
        listed = await super().list_pages(msg, ctx)
        return replace(listed, pages=listed.pages[::-1])


class BufferThatOwnsNothing(Buffer):
    @on(Append)
    async def append(self, msg: Append, ctx: Context) -> Appended:
        return Appended(page=Page(page_id=ctx.new_id(), image=msg.image))


class CacheThatForgetsToTell(Cache):
    @on(EndSession)
    async def end_session(self, msg: EndSession, ctx: Context) -> Ended:
        return Ended()


class CacheThatNeverAnswers(Cache):
    @on(Hold)
    async def hold(self, msg: Hold, ctx: Context) -> Held:
        await asyncio.Event().wait()
        return Held()


class DevicesThatAreNotAsked(Scanners):
    @on(Describe)
    async def describe(self, msg: Describe, ctx: Context) -> Described:
        return Described(device=await self._device(msg.device_id, ctx), capabilities=Capabilities(sources=[]))


class DevicesWithJobsInAnotherOrder(Scanners):
    @on(ListJobs)
    async def list_jobs(self, msg: ListJobs, ctx: Context) -> Jobs:
        return Jobs(jobs=(await super().list_jobs(msg, ctx)).jobs[::-1])


class PicturesThatAreHeldTwice(Pictures):
    @on(Render)
    async def render(self, msg: Render, ctx: Context) -> Rendered:
        made = await super().render(msg, ctx)
        await ctx.call(Hold(owner=msg.owner, blobs=[made.blob.name]))
        return made


class PicturesOfAnotherWidth(Pictures):
    @on(Render)
    async def render(self, msg: Render, ctx: Context) -> Rendered:
        made = await super().render(msg, ctx)
        return Rendered(blob=made.blob, width_px=made.width_px + 1, height_px=made.height_px)


class PdfThatMiscounts(Pdf):
    @on(Create)
    async def create(self, msg: Create, ctx: Context) -> Created:
        made = await super().create(msg, ctx)
        return Created(document=made.document, pages=made.pages + 1)


class PdfInAnotherOrder(Pdf):
    @on(Create)
    async def create(self, msg: Create, ctx: Context) -> Created:
        return await super().create(Create(page_ids=msg.page_ids[::-1]), ctx)


class DriverThatFindsInAnotherOrder(DriverHost):
    @on(Find)
    async def find(self, msg: Find, ctx: Context) -> Found:
        return Found(devices=(await super().find(msg, ctx)).devices[::-1])


class DriverThatScansNothing(DriverHost):
    @on(Acquire)
    async def acquire(self, msg: Acquire, ctx: Context) -> Acquired:
        return Acquired()


class KeeperThatKeepsNothing(Keeper):
    @on(Save)
    async def save(self, msg: Save, ctx: Context) -> Saved:
        return Saved(page_ids=[], pages=0)


class KeeperThatOpensForAnybody(Keeper):
    async def _open(self, msg: Any, ctx: Context) -> tuple[str, Document]:
        return await super()._open(replace(msg, password="secret"), ctx)


def patience_s(kind: type[Actor]) -> float:
    """How long an actor may take for a letter: a password takes its time."""
    return 6 if issubclass(kind, Keeper) else 1


@pytest.mark.parametrize(
    ("kind", "service", "story", "found"),
    [
        (BufferThatForgetsToTell, "buffer", "edit", "missing: event buffer.changed"),
        (BufferInAnotherOrder, "buffer", "edit", "body.pages[0].page_id"),
        (BufferThatOwnsNothing, "buffer", "edit", "missing: request cache.hold"),
        (CacheThatForgetsToTell, "cache", "session_closed", "missing: event cache.session_ended"),
        (CacheThatNeverAnswers, "cache", "edit", "missing: reply cache.held"),
        (DevicesThatAreNotAsked, "device", "scan_and_save", "missing: request driver.inspect"),
        (DevicesWithJobsInAnotherOrder, "device", "feeder_runs_empty", "body.jobs[0].state"),
        (PicturesThatAreHeldTwice, "image", "edit", "added: request cache.hold"),
        (PicturesOfAnotherWidth, "image", "scan_and_save", "body.width_px: 20 -> 21"),
        (PdfThatMiscounts, "pdf", "edit", "body.pages: 2 -> 3"),
        (PdfInAnotherOrder, "pdf", "edit", "body.page_ids[0]"),
        (KeeperThatKeepsNothing, "kept", "kept_for_later", "missing: request buffer.list_pages"),
        (KeeperThatOpensForAnybody, "kept", "kept_for_later", "missing: reply bus.failure"),
        (DriverThatFindsInAnotherOrder, "driver/virtual", "edit", 'devices[0].address: "sample" -> "second"'),
        (DriverThatScansNothing, "driver/virtual:sample", "edit", "missing: request cache.room"),
    ],
)
def test_a_broken_actor_is_found_out(kind: type[Actor], service: str, story: str, found: str, tmp_path: Path) -> None:
    path = TRACES / version("scanbus") / f"{story}.jsonl"
    instance = service.partition("/")[2]
    differences = play(path, service, lambda: kind(config_for(tmp_path), instance), patience_s=patience_s(kind))
    assert found in "\n".join(map(str, asyncio.run(differences)))


@pytest.mark.parametrize(
    ("kind", "story", "found"),
    [
        (BufferThatForgetsToTell, "edit", "missing: event buffer.changed"),
        (BufferInAnotherOrder, "edit", "body.pages[0].page_id"),
        (CacheThatForgetsToTell, "session_closed", "missing: event cache.session_ended"),
        (DevicesWithJobsInAnotherOrder, "feeder_runs_empty", "body.jobs[0].state"),
        (PicturesOfAnotherWidth, "scan_and_save", "body.width_px: 20 -> 21"),
        (PdfThatMiscounts, "edit", "body.pages: 2 -> 3"),
        (KeeperThatOpensForAnybody, "kept_for_later", "wrong_password"),
        (DriverThatScansNothing, "edit", "missing: part device.progress"),
    ],
)
def test_the_whole_with_a_broken_actor_is_found_out(kind: type[Actor], story: str, found: str) -> None:
    path = TRACES / version("scanbus") / f"{story}.jsonl"
    assert found in "\n".join(map(str, asyncio.run(play_whole(path, {kind.service: kind}, patience_s(kind)))))
