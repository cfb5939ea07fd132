"""Holds one driver in a process of its own: without it, a driver that hangs or dies would take the service along."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from math import inf
from time import monotonic
from typing import ClassVar, TypeVar

from actors.device.driver import Driver, OpenDevice, Recordable, Resting
from actors.device.keeping import Answer
from actors.device.sink import NoSink, StoreSink
from bus import Actor, Context, on
from schemas.cache import Room
from schemas.config import Config
from schemas.driver import (
    Acquire,
    Acquired,
    AcquirePart,
    Find,
    Found,
    Inspect,
    Inspected,
    Record,
    Recorded,
    RecordedLine,
    Settle,
    Settled,
)
from schemas.errors import Canceled, DeviceError, ScanbusError, Unavailable, Unsupported

ResultT = TypeVar("ResultT")
STOP_S = 5.0
"""How long a driver may take to stop before its process is ended."""
HUNG = 70
"""Exit code of a process whose driver did not come back (EX_SOFTWARE of sysexits.h)."""


class DriverHost(Actor):
    """Serves one family (`driver/sane`, which finds) or one device (`driver/sane:test:0`, kept open)."""

    service = "driver"
    slots: ClassVar[int] = 1

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self.end: Callable[[int], object] = os._exit
        """Ends the process when the driver does not come back."""

    async def start(self, ctx: Context) -> None:
        """Load the driver, in the one thread that all its calls come from."""
        self._ctx = ctx
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="driver")
        self._family, _, self._address = self.instance.partition(":")
        self._device: OpenDevice | None = None
        self._driver: Driver | None = None

    async def stop(self) -> None:
        """Release the device."""
        if self._device is not None:
            await self._run(self._device.close, within_s=STOP_S)
        self._thread.shutdown(wait=False)

    @on(Find)
    async def find(self, msg: Find, ctx: Context) -> Found:
        """Search."""
        return Found(devices=await self._run(lambda: self._load().find()))

    @on(Inspect)
    async def inspect(self, msg: Inspect, ctx: Context) -> Inspected:
        """Read what the device can do."""
        return Inspected(capabilities=await self._run(lambda: self._open().capabilities()))

    @on(Acquire)
    async def acquire(self, msg: Acquire, ctx: Context) -> Acquired:
        """Scan; each image is a part once it is durable."""
        loop = asyncio.get_running_loop()

        def tell(part: AcquirePart) -> None:
            loop.call_soon_threadsafe(ctx.part, part)

        def ask_room(refused: bool, answer: Answer) -> None:
            # A cause of its own: while it is asked, the page before may still be on its way through the house.
            loop.call_soon_threadsafe(lambda: asked.append(self._ctx.spawn(_ask_room(refused, answer, self._ctx))))

        asked: deque[asyncio.Task[None]] = deque(maxlen=1)
        sink = StoreSink(ctx.store, ctx.session, msg, tell, ask_room)

        def scan() -> None:
            try:
                self._open().acquire(msg.settings, sink)
            finally:
                sink.finish()

        rest_s = STOP_S
        try:
            await self._run(scan, sink)
            # One that is well is trusted: some park before they come back, and that may take long.
            rest_s = inf
        finally:
            for question in asked:
                question.cancel()
            ctx.spawn(self._rest(rest_s))
        return Acquired()

    @on(Settle)
    async def settle(self, msg: Settle, ctx: Context) -> Settled:
        """Take a turn in the thread, behind a scan that was asked for before the broker was restarted."""
        await self._run(lambda: None)
        return Settled()

    @on(Record)
    async def record(self, msg: Record, ctx: Context) -> Recorded:
        """Scan for the sake of what the device answers."""
        loop = asyncio.get_running_loop()
        sink = NoSink()

        def write(text: str) -> None:
            loop.call_soon_threadsafe(ctx.part, RecordedLine(text=text))

        def scan() -> Recorded:
            driver = self._load()
            if not isinstance(driver, Recordable):
                raise Unsupported(f"Scanners of the driver {self._family!r} cannot be recorded.")
            kept, self._device = self._device, None
            if kept is not None:
                kept.close()
            try:
                driver.record(self._address, msg.settings, sink, write)
            except (Canceled, DeviceError) as error:
                return Recorded(pages=sink.pages, fault=error.failure())
            return Recorded(pages=sink.pages)

        return await self._run(scan, sink)

    def _load(self) -> Driver:
        if self._driver is None:
            found = entry_points(group="scanbus.drivers", name=self._family)
            if not found:
                raise Unavailable(
                    f"There is no driver {self._family!r}: install it, or take it out of `device.drivers`."
                )
            driver: Driver = next(iter(found)).load()(self.config.device)
            self._driver = driver
        return self._driver

    def _open(self) -> OpenDevice:
        if self._device is None:
            self._device = self._load().open(self._address)
        return self._device

    async def _rest(self, within_s: float) -> None:
        """Let the device come to rest, when its caller has an answer already: this may hang, as any call may."""
        if isinstance(self._device, Resting):
            await self._run(self._device.rest, within_s=within_s)

    async def _run(
        self, work: Callable[[], ResultT], sink: StoreSink | NoSink | None = None, within_s: float = inf
    ) -> ResultT:
        """Do the driver's work in its thread, and watch that it comes back."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        began = monotonic()
        try:
            while not (await asyncio.wait({future}, timeout=0.5))[0]:
                if monotonic() - (sink.last_sign if sink else began) > min(within_s, self.config.device.silence_s):
                    self.end(HUNG)
        except asyncio.CancelledError:
            if sink is not None:
                sink.stop()
            if not (await asyncio.wait({future}, timeout=STOP_S))[0]:
                self.end(HUNG)
            else:
                future.exception()
            raise
        return future.result()


async def _ask_room(refused: bool, answer: Answer, ctx: Context) -> None:
    try:
        await ctx.call(Room(refused=refused))
    except ScanbusError as error:
        answer(error)
    else:
        answer(None)
