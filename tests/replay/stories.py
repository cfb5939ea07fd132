"""What happens in the recorded traces, told as a caller for browser sessions would."""

from collections.abc import Awaitable, Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import Actor, Context, Stream
from schemas import kept
from schemas.buffer import ListPages, Move, Remove, Rotate
from schemas.cache import EndSession, SessionEnded, UseSession
from schemas.config import Config, DeviceConfig, VirtualConfig
from schemas.device import (
    Area,
    Describe,
    Follow,
    ListDevices,
    ListJobs,
    OptionValue,
    Progress,
    Scan,
    Scanned,
    ScannedPage,
    Settings,
    Started,
    Stop,
)
from schemas.errors import Canceled, Conflict, DriverFailed, FeederEmpty, InUse, NotFound, PaperJam, WrongPassword
from schemas.image import Render
from schemas.page import Color, Page, Source
from schemas.pdf import Create
from tests.house import House

FIRST, SECOND = "virtual:sample", "virtual:second"
SMALL = Area(width_mm=20, height_mm=12)
"""So that all traces together stay small."""
TWO_LINES = Area(width_mm=20, height_mm=0.7)
SLOW: dict[str, OptionValue] = {"pages-per-minute": 30}
"""Two lines then take a second each: time enough to do something between them."""
ScanStream = Stream[Scanned, Started | ScannedPage | Progress]


def config_for(folder: Path) -> Config:
    """Two fast virtual scanners that are searched for once."""
    scanners = tuple(VirtualConfig(name=name, pages_per_minute=0) for name in ("sample", "second"))
    return Config(
        state_folder=str(folder / "state"),
        runtime_folder=str(folder / "run"),
        device=DeviceConfig(drivers=("virtual",), virtual=scanners, search_interval_s=3600),
    )


def maker(config: Config, service: str) -> Callable[[], Actor]:
    """Makes the actor that is registered for a service or an instance of it."""
    name, _, instance = service.partition("/")
    kind = next(iter(entry_points(group="scanbus.actors", name=name))).load()
    return lambda: kind(config, instance)


def scan(device_id: str = FIRST, *, area: Area = SMALL, color: Color = Color.GRAY, **settings: Any) -> Scan:
    chosen = {"source": Source.FEEDER, "resolution_dpi": 75, "area": area, "color": color, **settings}
    return Scan(device_id=device_id, settings=msgspec.convert(chosen, Settings, str_keys=False, from_attributes=True))


async def until(stream: ScanStream, kind: type[Any]) -> Any:
    """The first part of a kind."""
    async for part in stream:
        if isinstance(part, kind):
            return part
    raise AssertionError(f"there was no {kind.__name__}")


async def pages(ctx: Context) -> list[Page]:
    return (await ctx.call(ListPages())).pages


async def scan_and_save(here: House) -> None:
    """Choose a scanner, scan in each color, look at a page, save all as one PDF."""
    ctx = here.session()
    devices = (await ctx.call(ListDevices(wait=True))).devices
    await ctx.call(Describe(device_id=devices[0].device_id))
    for color in Color:
        await ctx.call(scan(color=color, pages=1))
    first = (await pages(ctx))[0]
    await ctx.call(Render(image=first.image, owner=first.page_id, width_px=20))
    await ctx.call(Create(title="Letters"))
    await ctx.call(Create(compression="lossless"))


async def feeder_runs_empty(here: House) -> None:
    """There is no paper; then there is."""
    ctx = here.session()
    with pytest.raises(FeederEmpty):
        await ctx.call(scan(options={"fault": "empty"}))
    await ctx.call(scan(pages=1))
    await ctx.call(ListJobs())


async def jam_at_page_3(here: House) -> None:
    """Two pages are kept, the third is stuck; the next scan goes on after them."""
    ctx = here.session()
    with pytest.raises(PaperJam):
        await ctx.call(scan(options={"fault": "jam@3"}))
    assert len(await pages(ctx)) == 2
    await ctx.call(scan(pages=1))
    assert len(await pages(ctx)) == 3


async def cancel_in_mid_page(here: House) -> None:
    """Once by asking for a stop, once by canceling the request; a device that scans is in use."""
    ctx, other = here.session(), here.session()
    async with ctx.stream(scan(area=TWO_LINES, options=SLOW)) as stream:
        job_id = (await until(stream, Started)).job.job_id
        await until(stream, Progress)
        with pytest.raises(InUse):
            await other.call(scan())
        await ctx.call(Stop(job_id=job_id))
        with pytest.raises(Canceled):
            await stream.reply()
    async with ctx.stream(scan(area=TWO_LINES, options=SLOW)) as stream:
        await until(stream, Progress)
    assert await pages(ctx) == []
    await ctx.call(ListJobs())


async def two_sessions(here: House) -> None:
    """Two scan at the same time, and neither sees the other's pages."""
    one, other = here.session(), here.session()
    await one.call(ListDevices(wait=True))
    async with one.stream(scan(FIRST, pages=2)) as first, other.stream(scan(SECOND, pages=3)) as second:
        await first.reply()
        await second.reply()
    mine, theirs = await pages(one), await pages(other)
    assert (len(mine), len(theirs)) == (2, 3)
    with pytest.raises(NotFound):
        await one.call(Rotate(page_ids=[theirs[0].page_id], degrees=90))
    await other.call(Create())


async def come_back_in_mid_scan(here: House) -> None:
    """Whoever reloads hears the rest of the scan."""
    ctx = here.session()
    async with ctx.stream(scan(area=TWO_LINES, options=SLOW, pages=1)) as stream:
        job_id = (await until(stream, Started)).job.job_id
        await until(stream, Progress)
        await ctx.call(ListJobs())
        await ctx.call(Follow(job_id=job_id))
        await stream.reply()
    await pages(ctx)


async def edit(here: House) -> None:
    """Turn, move and remove pages, then save what is left."""
    ctx = here.session()
    await ctx.call(scan(pages=4))
    a, b, c, d = [page.page_id for page in await pages(ctx)]
    await ctx.call(Rotate(page_ids=[a, d], degrees=90))
    await ctx.call(Move(page_ids=[d, c], position=0))
    await ctx.call(Remove(page_ids=[b]))
    assert [page.page_id for page in await pages(ctx)] == [d, c, a]
    await ctx.call(Create(page_ids=[a, d]))


async def driver_lost(here: House) -> None:
    """The driver's process dies in the middle of a page; the next scan starts another."""
    ctx = here.session()
    async with ctx.stream(scan(area=TWO_LINES, options=SLOW)) as stream:
        await until(stream, Progress)
        here.kill(f"driver/{FIRST}")
        with pytest.raises(DriverFailed):
            await stream.reply()
    await ctx.call(scan(pages=1))
    await pages(ctx)


async def session_closed(here: House) -> None:
    """The pages are gone for good, those of another session stay."""
    ctx, other = here.session(), here.session()
    for each in (ctx, other):
        await each.call(scan(pages=1))
    await ctx.call(Create())
    await ctx.call(EndSession())
    await here.caller.until(lambda heard: sum(session == ctx.session for session, _ in heard) == 2)
    with pytest.raises(NotFound):
        await pages(ctx)
    assert len(await pages(other)) == 1


async def kept_for_later(here: House) -> None:
    """Pages are kept under a name and a password, and come back into another session when theirs is gone."""
    ctx, other = here.session(), here.session()
    for each in (ctx, other):
        await each.call(UseSession())
    await ctx.call(scan(pages=2))
    await ctx.call(Rotate(page_ids=[(await pages(ctx))[0].page_id], degrees=90))
    await ctx.call(kept.Create(name="Letters", password="secret", metadata={"customer": "A-17"}))
    with pytest.raises(Conflict):
        await ctx.call(kept.Create(name="Letters"))
    await ctx.call(kept.Save(name="Letters", password="secret"))
    await ctx.call(EndSession())
    await here.caller.until(lambda heard: any(isinstance(event, SessionEnded) for _, event in heard))
    with pytest.raises(WrongPassword):
        await other.call(kept.Load(name="Letters", password="guess"))
    await other.call(kept.Load(name="Letters", password="secret"))
    assert [page.rotation_degrees for page in await pages(other)] == [90, 0]
    await other.call(kept.ListKept())
    await other.call(kept.Remove(name="Letters", password="secret"))
    assert not (await other.call(kept.Exists(name="Letters"))).exists


STORIES: dict[str, Callable[[House], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        scan_and_save,
        feeder_runs_empty,
        jam_at_page_3,
        cancel_in_mid_page,
        two_sessions,
        come_back_in_mid_scan,
        edit,
        driver_lost,
        session_closed,
        kept_for_later,
    )
}
