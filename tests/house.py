"""The whole service in one process and one loop: real broker, real actors, real drivers, no sockets."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from inspect import Parameter, signature
from pathlib import Path

import msgspec

from bus import Actor, Context, on
from bus.blobs import BlobStore
from bus.broker import Broker
from bus.runtime import Runtime
from schemas.buffer import Changed
from schemas.cache import SessionEnded
from schemas.config import Config, DeviceConfig, VirtualConfig
from schemas.device import DeviceFound, DeviceLost
from schemas.errors import Lost
from schemas.message import Event

LIGHT = ("buffer", "cache", "device", "kept")
ON_DEMAND = ("driver", "image", "pdf")
WAIT_S = 10.0
"""Longer than anything takes here, so that a test fails instead of waiting for ever."""


class Caller(Actor):
    """Speaks for browser sessions, as the gateway does, and hears what they hear."""

    service = "caller"
    ctx: Context

    async def start(self, ctx: Context) -> None:
        self.ctx = ctx
        self.heard: list[tuple[str, Event]] = []
        self._news = asyncio.Condition()

    @on(Changed)
    async def changed(self, msg: Changed, ctx: Context) -> None:
        await self._note(ctx.session, msg)

    @on(SessionEnded)
    async def session_ended(self, msg: SessionEnded, ctx: Context) -> None:
        await self._note(ctx.session, msg)

    @on(DeviceFound)
    async def device_found(self, msg: DeviceFound, ctx: Context) -> None:
        await self._note(ctx.session, msg)

    @on(DeviceLost)
    async def device_lost(self, msg: DeviceLost, ctx: Context) -> None:
        await self._note(ctx.session, msg)

    async def until(self, said: Callable[[list[tuple[str, Event]]], bool]) -> None:
        """Wait until what was heard (session and event, in order) is as it should be."""
        async with asyncio.timeout(WAIT_S), self._news:
            await self._news.wait_for(lambda: said(self.heard))

    async def _note(self, session: str, event: Event) -> None:
        self.heard.append((session, event))
        async with self._news:
            self._news.notify_all()


class House:
    """The rooms that are open; `makers` make other actors than the entry points would, by service or its first word."""

    def __init__(self, config: Config, makers: Mapping[str, Callable[[Config, str], Actor]]) -> None:
        self.config = config
        folder = Path(config.state_folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.store = BlobStore(folder)
        self.broker = Broker(
            config, known={*LIGHT, *ON_DEMAND, "caller"}, startable=set(ON_DEMAND), on_wanted=self.start
        )
        self.actors: dict[str, Actor] = {}
        self.ended: list[tuple[str, int]] = []
        """Services that ended their own process, and their exit codes."""
        self._makers = {"caller": Caller, **makers}
        self._runtimes: dict[str, tuple[Runtime, asyncio.Task[None]]] = {}
        self._killed: list[asyncio.Task[None]] = []

    def start(self, service: str) -> None:
        name, _, instance = service.partition("/")
        maker = self._makers.get(service) or self._makers.get(name)
        if maker is None:
            maker = next(iter(entry_points(group="scanbus.actors", name=name))).load()
        actor = maker(self.config, instance)
        if hasattr(actor, "end"):
            actor.end = lambda code: self._end(service, code)
        port = self.broker.local_port(service)
        runtime = Runtime(port, actor, store=self.store)
        self.actors[service] = actor
        self._runtimes[service] = runtime, asyncio.create_task(runtime.run(), name=port.name)

    def session(self) -> Context:
        """The context of a new session."""
        session = secrets.token_hex(16)
        self.store.begin(session)
        return self.caller.ctx.on_behalf(session)

    @property
    def caller(self) -> Caller:
        caller = self.actors["caller"]
        assert isinstance(caller, Caller)
        return caller

    async def ready(self, service: str) -> None:
        """Wait until a service is given letters. Raises what its start raises."""
        runtime, task = self._runtimes[service]
        ready = asyncio.ensure_future(runtime.ready())
        await asyncio.wait({ready, task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            await task

    async def stop(self, service: str) -> None:
        """Let a service finish what it does, and leave."""
        runtime, task = self._runtimes.pop(service)
        runtime.drain()
        await task

    def kill(self, service: str) -> None:
        """For everybody else, the service's process has died at once."""
        runtime, task = self._runtimes.pop(service)
        self.broker.detach(task.get_name())
        task.cancel()
        self._killed.append(asyncio.create_task(_buried(runtime, task)))

    async def close(self) -> None:
        for runtime, _ in self._runtimes.values():
            runtime.drain()
        tasks = [task for _, task in self._runtimes.values()]
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._killed, return_exceptions=True)
        await self.broker.close()
        for end in ends:
            if end is not None:
                raise end

    def _end(self, service: str, code: int) -> None:
        if service in self._runtimes:
            self.ended.append((service, code))
            self.kill(service)


async def _buried(runtime: Runtime, task: "asyncio.Task[None]") -> None:
    """Let what the dead still waits for end: nobody answers them any more."""
    while not task.done():
        for key in list(runtime._open):
            runtime._settle(key, Lost().failure())
        await asyncio.wait({task}, timeout=0.01)


def virtual_config(folder: Path, /, **scanner: object) -> Config:
    """A configuration with one fast virtual scanner, and nothing outside `folder`."""
    fast = msgspec.convert({"name": "sample", "pages_per_minute": 0, **scanner}, VirtualConfig)
    return Config(
        state_folder=str(folder / "state"),
        runtime_folder=str(folder / "run"),
        device=DeviceConfig(drivers=("virtual",), virtual=(fast,), search_interval_s=0.2),
    )


@asynccontextmanager
async def house(
    config: Config, makers: Mapping[str, Callable[[Config, str], Actor]] | None = None
) -> AsyncIterator[House]:
    here = House(config, makers or {})
    try:
        for service in (*LIGHT, "caller"):
            here.start(service)
        for service in (*LIGHT, "caller"):
            await here.ready(service)
        yield here
    finally:
        await here.close()


def in_house(claim: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a test of a claim about a house, `here`, that is built as the fixture `config` says."""

    def test(config: Config, **given: object) -> None:
        async def lived() -> None:
            async with house(config) as here, asyncio.timeout(6 * WAIT_S):
                await claim(here=here, **given)

        asyncio.run(lived())

    own = signature(claim)
    asked = [each.replace(kind=Parameter.KEYWORD_ONLY) for name, each in own.parameters.items() if name != "here"]
    test.__signature__ = own.replace(parameters=[*signature(test).parameters.values()][:1] + asked)  # type: ignore[attr-defined]
    test.__name__, test.__qualname__, test.__module__ = claim.__name__, claim.__qualname__, claim.__module__
    return test
