"""One scan from its start to its end, for whoever asked, and for whoever comes back later."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from actors.device.comeback import REMEMBERED, recent, rescued
from actors.device.pauses import can_go_on, may_have_fed, why
from actors.device.records import Plan, Record
from bus import Context, Stream
from schemas.buffer import Append
from schemas.cache import Room
from schemas.device import Continued, Job, JobState, Paused, Progress, Repeated, Resume, ScannedPage, Started
from schemas.driver import Acquire, Acquired, AcquirePart, Arrived, KeptPage, Reading, Repeats
from schemas.errors import (
    Canceled,
    Conflict,
    DriverFailed,
    Failure,
    FeederEmpty,
    Lost,
    ScanbusError,
    StorageFull,
    from_failure,
)
from schemas.message import Message
from schemas.page import Page, Source

_ENDED = frozenset({JobState.COMPLETED, JobState.FAULTED, JobState.CANCELED})


class RunningJob:
    """A scan: it tells its watchers every part, waits for a person where it must, and knows how it ended."""

    def __init__(self, record: Record, save: Callable[[Record], Coroutine[Any, Any, None]]) -> None:
        self.plan: Plan = record.plan
        self.job: Job = record.job
        self._save_record = save
        self._fault = from_failure(record.job.fault) if record.job.fault is not None else None
        self._watchers: list[Callable[[Message], None]] = []
        self._ended = asyncio.Event()
        self._settled = asyncio.Event()
        self._stopped = asyncio.Event()
        self._called = asyncio.Event()
        """Set when somebody says how a scan that waits shall go on."""
        self._waiting = False
        self._coming_back = self.job.state is JobState.RUNNING
        """Until it is known what a crash has left of it."""
        self._stream: Stream[Acquired, AcquirePart] | None = None
        self._begun = False
        """Whether an image has begun that has not arrived."""
        self._recent: deque[Page] = deque(maxlen=REMEMBERED)
        self._resumed: Resume | None = None
        """How it goes on after a pause, until the device has been asked to."""
        self._repeats = 0
        if self.job.state in _ENDED:
            self._settled.set()
            self._ended.set()

    @property
    def running(self) -> bool:
        """Whether it may still give pages."""
        return not self._ended.is_set()

    @property
    def scanning(self) -> bool:
        """Whether it uses the device now."""
        rests = self._waiting or self._coming_back or (self._stopped.is_set() and self._stream is None)
        return self.job.state not in _ENDED and not rests

    def stop(self) -> None:
        """Stop the device; finished pages still arrive."""
        self._stopped.set()
        self._called.set()
        if self._stream is not None:
            self._stream.cancel()

    def resume(self, how: Resume) -> Job:
        """Go on after a pause. Raises Conflict unless it waits for that."""
        if not self._waiting or self._called.is_set():
            raise Conflict("This scan does not wait for paper. Ask for the scans again.")
        self._resumed = how
        self._change(paused=None)
        self._called.set()
        self._tell(Continued(job=self.job))
        return self.job

    async def follow(self, tell: Callable[[Message], None]) -> Job:
        """Hear every part from now on, until the end. Raises the scan's fault."""
        await self._settled.wait()
        tell(Started(job=self.job))
        self._watchers.append(tell)
        try:
            await self._ended.wait()
        finally:
            self._watchers.remove(tell)
        if self._fault is not None:
            raise self._fault
        return self.job

    async def settled(self) -> Job:
        """Wait until it is known what is left of it, where a crash broke it off."""
        await self._settled.wait()
        return self.job

    async def ended(self) -> Job:
        """Wait for the end, however it comes."""
        await self._ended.wait()
        return self.job

    async def run(self, ctx: Context) -> None:
        """Scan until the end, or from where a crash broke it off."""
        try:
            if self.job.state is JobState.PENDING:
                error = await self._begin(ctx)
            else:
                error = await self._come_back(ctx)
            while error is not None and await self._goes_on_after(error, ctx):
                error = await self._attempt(ctx)
            await self._end(error, ctx)
        finally:
            if self.job.state not in _ENDED:
                # The service stops: on disk it still runs, and the next life takes it up.
                self._fault = Canceled()
            self._settled.set()
            self._ended.set()

    async def _begin(self, ctx: Context) -> ScanbusError | None:
        self._change(state=JobState.RUNNING)
        try:
            await self._save(ctx)
        except ScanbusError as error:
            return error
        # Not before: whoever is told of a scan finds it again after a crash.
        self._settled.set()
        return await self._attempt(ctx)

    async def _come_back(self, ctx: Context) -> ScanbusError | None:
        error = (
            from_failure(self.job.paused) if self.job.paused is not None else Lost("Scanbus ended during this scan.")
        )
        self._change(state=JobState.RUNNING)
        try:
            whole = await self._rescue(ctx)
            self._recent.extend(await recent(self.job, ctx))
        finally:
            self._coming_back = False
        if self._recent:
            self._change(last_page_id=self._recent[-1].page_id)
        return None if whole else error

    async def _attempt(self, ctx: Context) -> ScanbusError | None:
        """Scan until the device has no more; what went wrong, if anything did."""
        error = await self._pass(ctx)
        if error is None and self._repeats and self.plan.settings.pages > self.job.pages:
            # Sheets that were put back were counted by the device as pages that were asked for.
            error = await self._pass(ctx)
            error = None if isinstance(error, FeederEmpty) else error
        if isinstance(error, Lost):
            whole = await self._rescue(ctx)
            text = "The scanner's driver crashed or did not answer; it was restarted. Press Scan again."
            return None if whole else DriverFailed(text)
        return error

    async def _pass(self, ctx: Context) -> ScanbusError | None:
        if self._stopped.is_set():
            return Canceled()
        settings = self.plan.settings
        resumed, self._resumed = self._resumed, None
        kept = [KeptPage(number=page.number, image=page.image) for page in self._recent]
        acquire = Acquire(
            settings=replace(settings, pages=max(0, settings.pages - self.job.pages)),
            job_id=self.job.job_id,
            first_number=self.job.pages + 1,
            document_id=self.job.document_id,
            after_page_id=self.plan.after_page_id,
            kept=kept if resumed is not None else [],
            put_back=resumed.put_back if resumed is not None else -1,
        )
        self._repeats = 0
        try:
            async with ctx.stream(acquire, instance=self.job.device_id) as self._stream:
                async for part in self._stream:
                    await self._take(part, ctx)
                await self._stream.reply()
        except ScanbusError as error:
            return error
        finally:
            self._stream = None
        return None

    async def _take(self, part: AcquirePart, ctx: Context) -> None:
        match part:
            case Reading():
                self._begun = True
                self._tell(Progress(number=self.job.pages + 1, fraction=part.fraction))
            case Arrived():
                self._keep(await self._append(part, ctx), part.resembles)
            case Repeats():
                self._begun = False
                self._repeats += 1
                page_id = next((page.page_id for page in self._recent if page.number == part.number), "")
                self._tell(Repeated(number=part.number, page_id=page_id))
            case _:
                self._stall(part.reason)

    async def _append(self, part: Arrived, ctx: Context) -> Page:
        append = Append(
            image=part.image,
            job_id=self.job.job_id,
            number=part.number,
            document_id=self.job.document_id,
            after_page_id=(self.job.last_page_id or self.plan.after_page_id) if self.plan.after_page_id else "",
        )
        while True:
            try:
                return (await ctx.call(append)).page
            except StorageFull as error:
                await self._room(error, ctx)

    def _keep(self, page: Page, resembles: int = 0) -> None:
        self._begun = False
        self._recent.append(page)
        self._change(pages=page.number, gap=0, last_page_id=page.page_id)
        self._tell(ScannedPage(page=page, number=page.number, resembles=resembles))

    async def _rescue(self, ctx: Context) -> bool:
        """Take up what was kept but not told; whether that is all that was asked for."""
        pages, number = await rescued(self.job, ctx)
        for page in pages:
            self._keep(page)
        self._change(pages=max(number, self.job.pages))
        wanted = self.plan.settings.pages or (1 if self.plan.settings.source is Source.FLATBED else 0)
        return 0 < wanted <= self.job.pages

    async def _goes_on_after(self, error: ScanbusError, ctx: Context) -> bool:
        """Wait for a person, where that was wished and makes sense; whether the scan shall go on."""
        settings, pages = self.plan.settings, self.job.pages
        lost = self.job.gap or may_have_fed(error, settings, pages=pages, begun=self._begun)
        gap = pages + 1 if lost else 0
        self._begun = False
        self._change(gap=gap)
        if not self.plan.pause_s or self._stopped.is_set() or not can_go_on(error, pages=pages, gap=gap):
            return False
        self._called.clear()
        self._waiting = True
        self._change(paused=why(error, settings, pages=pages, gap=gap))
        await self._try_to_save(ctx)
        self._settled.set()
        self._tell(Paused(job=self.job))
        await _first(self._called.wait(), ctx.sleep(self.plan.pause_s))
        self._waiting = False
        if not self._called.is_set() or self._stopped.is_set():
            return False
        await self._try_to_save(ctx)
        return True

    async def _end(self, error: ScanbusError | None, ctx: Context) -> None:
        self._change(paused=None)
        if self._stopped.is_set() and error is not None:
            error = Canceled()
        if error is None:
            self._change(state=JobState.COMPLETED)
        else:
            gap = {"gap": str(self.job.gap)} if self.job.gap else {}
            self._fault = type(error)(error.text, **{**error.data, "pages": str(self.job.pages), **gap})
            canceled = isinstance(error, Canceled)
            self._change(state=JobState.CANCELED if canceled else JobState.FAULTED, fault=self._fault.failure())
        await self._try_to_save(ctx)

    async def _try_to_save(self, ctx: Context) -> None:
        try:
            await self._save(ctx)
        except ScanbusError as error:
            ctx.log.warning("the state of a scan could not be kept", code=error.code, reason=error.text)

    async def _save(self, ctx: Context) -> None:
        while True:
            try:
                return await self._save_record(Record(plan=self.plan, job=self.job))
            except StorageFull as error:
                await self._room(error, ctx)

    async def _room(self, error: StorageFull, ctx: Context) -> None:
        """Wait until there is room again. Raises Canceled when the scan shall stop."""
        self._settled.set()
        # Whoever waits to be told of the scan hears of it first, then that it waits.
        await asyncio.sleep(0)
        self._stall(error.failure())
        await _first(self._stopped.wait(), ctx.call(Room(refused=True)))
        if self._stopped.is_set():
            raise Canceled()
        self._stall(None)

    def _stall(self, reason: Failure | None) -> None:
        self._change(paused=reason)
        self._tell(Paused(job=self.job) if reason is not None else Continued(job=self.job))

    def _change(self, **fields: Any) -> None:
        self.job = replace(self.job, **fields)

    def _tell(self, part: Message) -> None:
        for tell in list(self._watchers):
            tell(part)


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these is over, and give up the others. Raises what it raised."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        over, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in over:
        task.result()
