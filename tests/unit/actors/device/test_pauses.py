"""A scan that breaks off waits for a person, loses no page, and goes on, whoever died meanwhile."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.device.driver import Header, Sink
from bus import Context, Stream
from schemas.buffer import ListPages
from schemas.cache import EndSession
from schemas.config import Config
from schemas.device import (
    Continued,
    Follow,
    Job,
    JobState,
    ListJobs,
    Paused,
    Repeated,
    Resume,
    Scan,
    Scanned,
    ScannedPage,
    ScanPart,
    Settings,
    Started,
    Stop,
)
from schemas.errors import (
    Canceled,
    Conflict,
    CoverOpen,
    DoubleFeed,
    DriverFailed,
    FeederEmpty,
    InUse,
    Lost,
    NotFound,
    Offline,
    PaperJam,
    ScanbusError,
)
from schemas.page import Color, Source
from tests.house import WAIT_S, House, in_house, virtual_config
from tests.stage import Stage, feed, feed_until_stopped

DEVICE = "stage:one"
SHEET = Header(width_px=200, height_px=280, color=Color.GRAY, resolution_dpi=50)
"""Small, but large enough for a picture by which a sheet is known again."""
ScanStream = Stream[Scanned, ScanPart]
Acquire = Callable[[Settings, Sink], None]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = virtual_config(tmp_path)
    return replace(config, device=replace(config.device, drivers=("stage",)))


def sheet(number: int) -> bytes:
    """A pattern that no other number has, on white paper."""
    lines = []
    for y in range(SHEET.height_px):
        row = (y // 20 * 7919 + number * 104729) % 1021
        lines.append(bytes(40 if 20 <= x < 180 and (row >> (x // 20)) % 2 else 250 for x in range(SHEET.width_px)))
    return b"".join(lines)


def stack(*numbers: int, error: ScanbusError | None = None) -> Acquire:
    """Feed these sheets, then fail if there is an error."""

    def acquire(settings: Settings, sink: Sink) -> None:
        for number in numbers[: settings.pages or None]:
            with sink.image(SHEET) as writer:
                writer.write(sheet(number))
        if error is not None:
            raise error

    return acquire


def scan(pause_s: float = 60.0, *, pages: int = 0, source: Source | None = Source.FEEDER, **more: Any) -> Scan:
    return Scan(device_id=DEVICE, settings=Settings(pages=pages, source=source), pause_s=pause_s, **more)


async def until(stream: ScanStream, kind: type[Any]) -> Any:
    """The first part of a kind."""
    async for part in stream:
        if isinstance(part, kind):
            return part
    raise AssertionError(f"there was no {kind.__name__}")


async def rest(stream: ScanStream) -> tuple[list[ScanPart], Job]:
    """What else is told, and how it ended."""
    parts = [part async for part in stream]
    return parts, (await stream.reply()).job


async def shown(ctx: Context, number: int) -> bytes:
    """The bytes of one page of the session, by its place."""
    pages = (await ctx.call(ListPages())).pages
    return (await ctx.read(pages[number - 1].image.blob))[-len(sheet(0)) :]


async def kept(ctx: Context, numbers: Sequence[int]) -> bool:
    """Whether the session's pages are these sheets."""
    return [await shown(ctx, place + 1) for place in range(len((await ctx.call(ListPages())).pages))] == [
        sheet(number) for number in numbers
    ]


async def job_of(ctx: Context) -> Job:
    return (await ctx.call(ListJobs())).jobs[-1]


async def paused(ctx: Context) -> Job:
    """The session's last scan, once it waits."""
    async with ctx.stream(Follow(job_id=(await job_of(ctx)).job_id)) as stream:
        async for part in stream:
            if isinstance(part, Started | Paused) and part.job.paused is not None:
                return part.job
    raise AssertionError("it never paused")


@in_house
async def test_after_a_jam_the_scan_waits_and_says_what_to_put_back(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        job = (await until(stream, Paused)).job
        assert (job.state, job.pages, job.gap) == (JobState.RUNNING, 2, 3)
        assert job.paused is not None
        assert job.paused.code == "paper_jam"
        assert job.paused.text == (
            "Paper is jammed in the feeder. Page 3 was not kept. "
            "Clear the jam, put that sheet (and, if you like, the last good ones) back on top and continue."
        )
        assert await job_of(ctx) == job
        stage.acquire = stack(3, 4)
        resumed = (await ctx.call(Resume(job_id=job.job_id))).job
        assert (resumed.state, resumed.paused) == (JobState.RUNNING, None)
        parts, end = await rest(stream)
    assert isinstance(parts[0], Continued)
    assert [part.number for part in parts if isinstance(part, ScannedPage)] == [3, 4]
    assert (end.state, end.pages, end.gap, end.paused, end.fault) == (JobState.COMPLETED, 4, 0, None, None)
    assert await kept(ctx, [1, 2, 3, 4])


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("back", [0, 1, 2, 3])
@in_house
async def test_sheets_that_were_put_back_are_not_kept_again(here: House, stage: Stage, back: int, told: bool) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2, 3, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        job = (await until(stream, Paused)).job
        stage.acquire = stack(*range(4 - back, 7))
        await ctx.call(Resume(job_id=job.job_id, put_back=back if told else -1))
        parts, end = await rest(stream)
    repeated = [part.number for part in parts if isinstance(part, Repeated)]
    assert repeated == list(range(4 - back, 4))
    assert [part.resembles for part in parts if isinstance(part, ScannedPage)] == [0, 0, 0]
    assert end.pages == 6
    assert await kept(ctx, [1, 2, 3, 4, 5, 6])
    assert len(here.store.names(ctx.session)) == 6


@in_house
async def test_a_repeat_names_the_page_that_is_kept(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        job = (await until(stream, Paused)).job
        stage.acquire = stack(2, 3)
        await ctx.call(Resume(job_id=job.job_id))
        repeated = await until(stream, Repeated)
    pages = (await ctx.call(ListPages())).pages
    assert (repeated.number, repeated.page_id) == (2, pages[1].page_id)


@in_house
async def test_a_page_too_many_is_not_fed_though_repeats_were_counted(here: House, stage: Stage) -> None:
    """Of 4 pages 2 are kept; the device is asked for 2 more, gives a repeat and one, and is asked once more."""
    ctx = here.session()
    fed = iter([1, 2, 2, 3, 4, 5])
    asked: list[int] = []

    def acquire(settings: Settings, sink: Sink) -> None:
        asked.append(settings.pages)
        count = 2 if len(asked) == 1 else settings.pages
        stack(*[next(fed) for _ in range(count)], error=PaperJam() if len(asked) == 1 else None)(settings, sink)

    stage.acquire = acquire
    async with ctx.stream(scan(pages=4)) as stream:
        job = (await until(stream, Paused)).job
        await ctx.call(Resume(job_id=job.job_id))
        _, end = await rest(stream)
    assert asked == [4, 2, 1]
    assert (end.state, end.pages) == (JobState.COMPLETED, 4)
    assert await kept(ctx, [1, 2, 3, 4])


@in_house
async def test_of_a_duplex_sheet_whose_front_is_kept_only_the_back_is_missing(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2, 3, error=PaperJam())
    async with ctx.stream(scan(source=Source.DUPLEX)) as stream:
        job = (await until(stream, Paused)).job
        assert job.gap == 4
        assert job.paused is not None
        assert "Page 4, the back of sheet 2, was not kept." in job.paused.text
        stage.acquire = stack(3, 4, 5, 6)
        await ctx.call(Resume(job_id=job.job_id, put_back=0))
        parts, end = await rest(stream)
    assert [part.number for part in parts if isinstance(part, Repeated)] == [3]
    assert end.pages == 6
    assert await kept(ctx, [1, 2, 3, 4, 5, 6])


@in_house
async def test_a_second_jam_pauses_again_and_nothing_is_lost(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2, 3, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        job = (await until(stream, Paused)).job
        # It jams again among those that were put back: the first two of them are held, undecided, when it does.
        stage.acquire = stack(1, 2, error=DoubleFeed())
        await ctx.call(Resume(job_id=job.job_id))
        again = (await until(stream, Paused)).job
        assert (again.pages, again.gap) == (3, 4)
        stage.acquire = stack(2, 3, 4)
        await ctx.call(Resume(job_id=job.job_id))
        _, end = await rest(stream)
    assert end.pages == 4
    assert await kept(ctx, [1, 2, 3, 4])


@in_house
async def test_a_scan_that_waits_can_be_stopped_and_keeps_its_pages(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        job = (await until(stream, Paused)).job
        stopped = (await ctx.call(Stop(job_id=job.job_id))).job
        with pytest.raises(Canceled):
            await stream.reply()
    assert (stopped.state, stopped.pages, stopped.gap, stopped.paused) == (JobState.CANCELED, 2, 3, None)
    assert await kept(ctx, [1, 2])
    with pytest.raises(Conflict):
        await ctx.call(Resume(job_id=job.job_id))


@in_house
async def test_nobody_comes_and_the_scan_ends_with_what_went_wrong(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, error=PaperJam())
    with pytest.raises(PaperJam) as caught:
        await ctx.call(scan(pause_s=0.05))
    assert caught.value.data == {"pages": "1", "gap": "2"}
    job = await job_of(ctx)
    assert (job.state, job.pages, job.gap, job.paused) == (JobState.FAULTED, 1, 2, None)


@in_house
async def test_only_a_scan_that_waits_for_paper_can_be_resumed(here: House, stage: Stage) -> None:
    ctx, other = here.session(), here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(scan()) as stream:
        job_id = (await until(stream, Started)).job.job_id
        with pytest.raises(Conflict):
            await ctx.call(Resume(job_id=job_id))
        with pytest.raises(NotFound):
            await other.call(Resume(job_id=job_id))


@in_house
async def test_a_scan_that_waits_keeps_its_own_session_from_scanning_and_nobody_else(here: House, stage: Stage) -> None:
    ctx, other = here.session(), here.session()
    stage.acquire = stack(1, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        job = (await until(stream, Paused)).job
        with pytest.raises(InUse, match="waits for its paper"):
            await ctx.call(scan())
        stage.acquire = feed_until_stopped
        async with other.stream(scan()) as theirs:
            await until(theirs, ScannedPage)
            with pytest.raises(InUse):
                await ctx.call(Resume(job_id=job.job_id))
            assert await job_of(ctx) == job
        stage.acquire = stack(2)
        await ctx.call(Resume(job_id=job.job_id))
        _, end = await rest(stream)
    assert end.pages == 2


@pytest.mark.parametrize(
    ("error", "fed", "gap"),
    [
        (CoverOpen(), 2, 3),
        (DriverFailed(), 2, 3),
        (Offline(), 2, 3),
        (DoubleFeed(), 2, 3),
        (PaperJam(), 0, 1),
        (FeederEmpty(), 0, 0),
        (CoverOpen(), 0, 0),
        (InUse(), 0, 0),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, ScanbusError) else str(each),
)
@in_house
async def test_a_page_that_may_have_been_fed_is_a_gap_and_no_other(
    here: House, stage: Stage, error: ScanbusError, fed: int, gap: int
) -> None:
    ctx = here.session()
    stage.acquire = stack(*range(fed), error=error)
    with pytest.raises(type(error)) as caught:
        await ctx.call(scan(pause_s=0))
    job = await job_of(ctx)
    assert (job.state, job.pages, job.gap) == (JobState.FAULTED, fed, gap)
    assert caught.value.data == {"pages": str(fed), **({"gap": str(gap)} if gap else {})}


@in_house
async def test_a_page_on_the_glass_is_a_gap_only_if_it_had_begun(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(error=DriverFailed())
    for gap in (0, 1):
        with pytest.raises(DriverFailed):
            await ctx.call(scan(pause_s=0, source=Source.FLATBED))
        assert (await job_of(ctx)).gap == gap

        def begin(settings: Settings, sink: Sink) -> None:
            with sink.image(SHEET) as writer:
                writer.write(bytes(200))
                raise DriverFailed

        stage.acquire = begin


@in_house
async def test_a_page_that_was_begun_when_the_scan_was_stopped_is_a_gap(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(scan()) as stream:
        job_id = (await until(stream, Started)).job.job_id
        await until(stream, ScannedPage)
        assert (await ctx.call(Stop(job_id=job_id))).job.gap == 2


@in_house
async def test_an_empty_feeder_after_a_pause_is_asked_for_the_missing_sheets(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        job = (await until(stream, Paused)).job
        stage.acquire = stack(error=FeederEmpty())
        await ctx.call(Resume(job_id=job.job_id))
        again = (await until(stream, Paused)).job
        assert (again.pages, again.gap) == (1, 2)
        assert again.paused is not None
        assert again.paused.code == "feeder_empty"
        stage.acquire = stack(2)
        await ctx.call(Resume(job_id=job.job_id))
        _, end = await rest(stream)
    assert (end.pages, end.gap) == (2, 0)


@in_house
async def test_when_its_driver_dies_a_scan_waits_and_goes_on_with_another(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(scan()) as stream:
        await until(stream, ScannedPage)
        stage.acquire = stack(2, 3)
        here.kill(f"driver/{DEVICE}")
        job = (await until(stream, Paused)).job
        assert (job.pages, job.gap) == (1, 2)
        assert job.paused is not None
        assert job.paused.code == "driver_failed"
        await ctx.call(Resume(job_id=job.job_id))
        parts, end = await rest(stream)
    assert [part.number for part in parts if isinstance(part, ScannedPage)] == [2, 3]
    assert (end.state, end.pages) == (JobState.COMPLETED, 3)


async def broken_off(here: House, stage: Stage, request: Scan) -> Context:
    """A session whose scan was in its second page when the device actor died; it lives again."""
    ctx = here.session()
    begun = threading.Event()

    def acquire(settings: Settings, sink: Sink) -> None:
        stack(1)(settings, sink)
        with sink.image(SHEET) as writer:
            writer.write(sheet(2)[:4000])
            begun.set()
            sink.wait(60)

    stage.acquire = acquire
    async with ctx.stream(request) as stream:
        await until(stream, ScannedPage)
        assert await asyncio.to_thread(begun.wait, WAIT_S)
        here.kill("device")
        with pytest.raises(Lost):
            await stream.reply()
    here.start("device")
    await here.ready("device")
    return ctx


@in_house
async def test_whoever_is_told_of_a_scan_finds_it_again_after_a_crash(here: House, stage: Stage) -> None:
    ctx = here.session()
    async with ctx.stream(scan(pages=1)) as stream:
        started = await until(stream, Started)
        with closing(sqlite3.connect(here.store.folder / "jobs.sqlite")) as disk:
            assert disk.execute("SELECT job_id FROM jobs").fetchall() == [(started.job.job_id,)]


@in_house
async def test_a_scan_survives_the_death_of_its_actor_and_goes_on(here: House, stage: Stage) -> None:
    ctx = await broken_off(here, stage, scan())
    job = await job_of(ctx)
    assert (job.state, job.pages, job.gap, job.device_id) == (JobState.RUNNING, 1, 2, DEVICE)
    assert job.paused is not None
    assert job.paused.code == "lost"
    assert job.last_page_id == (await ctx.call(ListPages())).pages[-1].page_id
    stage.acquire = stack(1, 2, 3)
    async with ctx.stream(Follow(job_id=job.job_id)) as stream:
        assert (await until(stream, Started)).job == job
        await ctx.call(Resume(job_id=job.job_id))
        parts, end = await rest(stream)
    assert [part.number for part in parts if isinstance(part, Repeated)] == [1]
    assert (end.state, end.pages) == (JobState.COMPLETED, 3)
    assert await kept(ctx, [1, 2, 3])


@in_house
async def test_without_a_pause_a_scan_that_was_broken_off_has_failed(here: House, stage: Stage) -> None:
    ctx = await broken_off(here, stage, scan(pause_s=0))
    job = await job_of(ctx)
    assert (job.state, job.pages, job.gap) == (JobState.FAULTED, 1, 2)
    assert job.fault is not None
    assert (job.fault.code, job.fault.data) == ("lost", {"pages": "1", "gap": "2"})
    with pytest.raises(Lost):
        await ctx.call(Follow(job_id=job.job_id))
    assert await kept(ctx, [1])


@in_house
async def test_a_scan_that_has_ended_is_as_it_was_after_a_crash(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2)
    done = (await ctx.call(scan())).job
    stage.acquire = stack(3, error=PaperJam())
    with pytest.raises(PaperJam):
        await ctx.call(scan(pause_s=0))
    before = (await ctx.call(ListJobs())).jobs
    here.kill("device")
    here.start("device")
    assert (await ctx.call(ListJobs())).jobs == before
    assert (await ctx.call(Follow(job_id=done.job_id))).job == done


@in_house
async def test_a_scan_that_waited_for_a_person_still_does_after_a_crash(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = stack(1, 2, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        before = (await until(stream, Paused)).job
        here.kill("device")
        with pytest.raises(Lost):
            await stream.reply()
    here.start("device")
    assert await job_of(ctx) == before
    stage.acquire = stack(2, 3)
    await ctx.call(Resume(job_id=before.job_id))
    end = (await ctx.call(Follow(job_id=before.job_id))).job
    assert (end.state, end.pages) == (JobState.COMPLETED, 3)
    assert await kept(ctx, [1, 2, 3])


@in_house
async def test_scans_of_a_session_that_ended_unheard_are_forgotten(here: House, stage: Stage) -> None:
    ctx, other = here.session(), here.session()
    for each in (ctx, other):
        await each.call(scan())
    here.kill("device")
    await ctx.call(EndSession())
    here.start("device")
    assert len((await other.call(ListJobs())).jobs) == 1
    assert (await ctx.call(ListJobs())).jobs == []


@in_house
async def test_the_end_of_a_session_ends_a_scan_that_waits(here: House, stage: Stage) -> None:
    ctx, other = here.session(), here.session()
    stage.acquire = stack(1, error=PaperJam())
    async with ctx.stream(scan()) as stream:
        await until(stream, Paused)
        await ctx.call(EndSession())
        with pytest.raises(Canceled):
            await stream.reply()
    stage.acquire = feed(1)
    await other.call(scan())
