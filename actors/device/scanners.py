"""The scanners of this computer: which there are, what they can do, and who scans with them."""

import asyncio

from actors.device.jobs import RunningJob
from actors.device.listing import Listing
from bus import Actor, Context, on
from schemas.cache import SessionEnded
from schemas.device import (
    Capabilities,
    Describe,
    Described,
    Device,
    DeviceFound,
    DeviceLost,
    Devices,
    Follow,
    Jobs,
    ListDevices,
    ListJobs,
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


class Scanners(Actor):
    """Keeps the list, describes devices, and runs scans; each driver lives in a process of its own."""

    service = "device"
    slots = 256

    async def start(self, ctx: Context) -> None:
        """Begin to search as soon as somebody asks."""
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
        for family in self.config.device.drivers:
            ctx.spawn(self._search(family, ctx))

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
        if not self._busy(msg.device_id):
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
        if self._busy(msg.device_id):
            raise InUse()
        running = RunningJob(ctx.new_id(), msg.device_id, ctx.session)
        self._jobs[running.job.job_id] = running
        self._forget(ctx.session)
        ctx.spawn(running.run(msg.settings, ctx))
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

    @on(ListJobs)
    async def list_jobs(self, msg: ListJobs, ctx: Context) -> Jobs:
        """The scans of this session."""
        return Jobs(jobs=[each.job for each in self._jobs.values() if each.session == ctx.session])

    @on(SessionEnded)
    async def session_ended(self, msg: SessionEnded, ctx: Context) -> None:
        """Nobody wants the pages any more."""
        for job_id, running in list(self._jobs.items()):
            if running.session == ctx.session:
                running.stop()
                await running.ended()
                self._jobs.pop(job_id, None)

    def _busy(self, device_id: str) -> bool:
        return any(each.running and each.job.device_id == device_id for each in self._jobs.values())

    def _job(self, job_id: str, ctx: Context) -> RunningJob:
        running = self._jobs.get(job_id)
        if running is None or running.session != ctx.session:
            raise NotFound("There is no such scan in this session.")
        return running

    def _forget(self, session: str) -> None:
        ended = [key for key, each in self._jobs.items() if each.session == session and not each.running]
        for key in ended[:-JOBS_KEPT]:
            del self._jobs[key]

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
                if not any(self._busy(key) for key in self._of(family)):
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
