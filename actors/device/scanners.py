"""The scanners of this computer: which there are, what they can do, and who scans with them."""

import asyncio
from collections.abc import Iterable
from contextlib import ExitStack, closing

from actors.device.jobs import RunningJob
from actors.device.listing import Listing
from actors.device.records import Plan, Record, Records
from bus import Actor, Context, on
from schemas.cache import SessionEnded
from schemas.config import Config
from schemas.device import (
    Capabilities,
    Describe,
    Described,
    Device,
    DeviceFound,
    DeviceLost,
    Devices,
    Follow,
    Job,
    Jobs,
    JobState,
    ListDevices,
    ListJobs,
    Resume,
    Resumed,
    Scan,
    Scanned,
    Stop,
    Stopped,
)
from schemas.driver import Find, Inspect
from schemas.errors import Denied, InUse, NotFound, ScanbusError

WATCHED_S = 30.0
"""How long after somebody asked for the list it is kept fresh."""
JOBS_KEPT = 20
"""Ended scans that a session can still ask for."""
WAITS = "Your last scan with this scanner waits for its paper. Continue it or stop it, then press Scan."


class Scanners(Actor):
    """Keeps the list, describes devices, and runs scans; each driver lives in a process of its own."""

    service = "device"
    slots = 256

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self._opened = ExitStack()

    async def start(self, ctx: Context) -> None:
        """Begin to search as soon as somebody asks, and take up the scans that a crash broke off."""
        self._listing = Listing(
            self.config.device.drivers,
            self.config.device.hidden,
            lambda device: ctx.publish(DeviceFound(device=device)),
            lambda device_id: ctx.publish(DeviceLost(device_id=device_id)),
        )
        self._watched_until = 0.0
        self._asked = {family: asyncio.Event() for family in self.config.device.drivers}
        self._searches = dict.fromkeys(self.config.device.drivers, 0)
        self._answered = asyncio.Condition()
        self._known: dict[str, Capabilities] = {}
        self._jobs: dict[str, RunningJob] = {}
        self._records = self._opened.enter_context(closing(Records(ctx.store.folder)))
        await self._come_back(ctx)
        for family in self.config.device.drivers:
            ctx.spawn(self._search(family, ctx))

    async def stop(self) -> None:
        """Close the database."""
        self._opened.close()

    @on(ListDevices)
    async def list_devices(self, msg: ListDevices, ctx: Context) -> Devices:
        """Answer from the cache; with `wait`, after every driver has searched once more."""
        before = dict(self._searches)
        self._watch(ctx)
        if msg.wait:
            async with self._answered:
                await self._answered.wait_for(lambda: all(self._searches[each] > before[each] for each in before))
        return self._listing.all()

    @on(Describe)
    async def describe(self, msg: Describe, ctx: Context) -> Described:
        """Ask the device; while it scans, what it said before."""
        device = await self._device(msg.device_id, ctx)
        if not self._scanning([msg.device_id]):
            inspected = await ctx.call(Inspect(), instance=msg.device_id)
            self._known[msg.device_id] = inspected.capabilities
        if msg.device_id not in self._known:
            raise InUse()
        return Described(device=device, capabilities=self._known[msg.device_id])

    @on(Scan)
    async def scan(self, msg: Scan, ctx: Context) -> Scanned:
        """Scan into the session's buffer; a device has one scan at a time."""
        if not ctx.session:
            raise Denied("Open a session first: the pages need a place.")
        await self._device(msg.device_id, ctx)
        if self._scanning([msg.device_id]):
            raise InUse()
        # Another session's scan may wait for somebody who has left: that keeps nobody else from scanning.
        if any(each.running and each.job.device_id == msg.device_id for each in self._of_session(ctx.session)):
            raise InUse(WAITS)
        plan = Plan(session=ctx.session, settings=msg.settings, after_page_id=msg.after_page_id, pause_s=msg.pause_s)
        job = Job(job_id=ctx.new_id(), device_id=msg.device_id, state=JobState.PENDING, document_id=msg.document_id)
        running = self._take_up(Record(plan=plan, job=job))
        ctx.spawn(running.run(ctx))
        ctx.spawn(self._forget_old(ctx.session))
        try:
            return Scanned(job=await running.follow(ctx.part))
        except asyncio.CancelledError:
            running.stop()
            await running.ended()
            raise

    @on(Follow)
    async def follow(self, msg: Follow, ctx: Context) -> Scanned:
        """Hear the rest of a scan of this session."""
        return Scanned(job=await self._job(msg.job_id, ctx).follow(ctx.part))

    @on(Stop)
    async def stop_job(self, msg: Stop, ctx: Context) -> Stopped:
        """Cancel a scan of this session."""
        running = self._job(msg.job_id, ctx)
        running.stop()
        return Stopped(job=await running.ended())

    @on(Resume)
    async def resume(self, msg: Resume, ctx: Context) -> Resumed:
        """Go on with a scan of this session that waits for paper."""
        running = self._job(msg.job_id, ctx)
        job = await running.settled()
        if not running.scanning and self._scanning([job.device_id]):
            raise InUse()
        return Resumed(job=running.resume(msg))

    @on(ListJobs)
    async def list_jobs(self, msg: ListJobs, ctx: Context) -> Jobs:
        """The scans of this session."""
        return Jobs(jobs=[await each.settled() for each in self._of_session(ctx.session)])

    @on(SessionEnded)
    async def session_ended(self, msg: SessionEnded, ctx: Context) -> None:
        """Nobody wants the pages any more."""
        ended = self._of_session(ctx.session)
        for running in ended:
            running.stop()
            await running.ended()
        await self._forget(ended)

    async def _come_back(self, ctx: Context) -> None:
        sessions = set(ctx.store.sessions())
        records = self._records.all()
        await self._records.forget([each.job.job_id for each in records if each.plan.session not in sessions])
        for record in records:
            if record.plan.session in sessions:
                running = self._take_up(record)
                if running.running:
                    ctx.spawn(running.run(ctx.on_behalf(record.plan.session)))

    def _take_up(self, record: Record) -> RunningJob:
        running = RunningJob(record, self._records.save)
        self._jobs[record.job.job_id] = running
        return running

    def _scanning(self, device_ids: Iterable[str]) -> bool:
        wanted = set(device_ids)
        return any(each.scanning and each.job.device_id in wanted for each in self._jobs.values())

    def _of_session(self, session: str) -> list[RunningJob]:
        return [each for each in self._jobs.values() if each.plan.session == session]

    def _job(self, job_id: str, ctx: Context) -> RunningJob:
        running = self._jobs.get(job_id)
        if running is None or running.plan.session != ctx.session:
            raise NotFound("There is no such scan in this session.")
        return running

    async def _forget_old(self, session: str) -> None:
        await self._forget([each for each in self._of_session(session) if not each.running][:-JOBS_KEPT])

    async def _forget(self, jobs: list[RunningJob]) -> None:
        for each in jobs:
            self._jobs.pop(each.job.job_id, None)
        if jobs:
            await self._records.forget([each.job.job_id for each in jobs])

    async def _device(self, device_id: str, ctx: Context) -> Device:
        if self._listing.get(device_id) is None:
            family = device_id.partition(":")[0]
            if family in self._searches:
                before = self._searches[family]
                self._watch(ctx)
                async with self._answered:
                    await self._answered.wait_for(lambda: self._searches[family] > before)
        device = self._listing.get(device_id)
        if device is None:
            raise NotFound(f"There is no scanner {device_id!r}. Switch it on, or choose one from the list.")
        return device

    def _watch(self, ctx: Context) -> None:
        self._watched_until = ctx.now() + WATCHED_S
        for asked in self._asked.values():
            asked.set()

    async def _search(self, family: str, ctx: Context) -> None:
        asked = self._asked[family]
        while True:
            while ctx.now() >= self._watched_until:
                asked.clear()
                await asked.wait()
            try:
                if not self._scanning(self._of(family)):
                    self._listing.answered(family, (await ctx.call(Find(), instance=family)).devices)
            except ScanbusError as error:
                self._listing.failed(family, error.text)
            self._searches[family] += 1
            asked.clear()
            async with self._answered:
                self._answered.notify_all()
            await self._pause(asked, ctx)

    async def _pause(self, asked: asyncio.Event, ctx: Context) -> None:
        ends = [asyncio.ensure_future(each) for each in (asked.wait(), ctx.sleep(self.config.device.search_interval_s))]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    def _of(self, family: str) -> list[str]:
        return [each.job.device_id for each in self._jobs.values() if each.job.device_id.startswith(f"{family}:")]
