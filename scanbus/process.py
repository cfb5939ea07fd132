"""What runs inside one process: main with the broker and the light actors, or an actor that joins it."""

import argparse
import asyncio
import contextlib
import ctypes
import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any

from scanbus.channel import LINE_LIMIT_BYTES, Said, Setup, Told, line, parse
from scanbus.policy import MAIN
from schemas.config import Config
from schemas.errors import NotFound, ScanbusError, Unavailable

if TYPE_CHECKING:
    from bus.actor import Actor
    from bus.broker import Broker
    from bus.runtime import Runtime

ALIVE_S = 1.0
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
"""prctl(2)."""

Say = Callable[[Said], None]


def main() -> int:
    """Run one process for the monitor, whose line is standard input; gives the exit code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # structlog would load it where it happens to be installed: 0.1 s at each start, for nothing that is used here.
    sys.modules["rich"] = None  # type: ignore[assignment]
    faulthandler.enable()
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--instance", default="")
    arguments = parser.parse_args()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, f"scanbus:{arguments.name}".encode()[:15])
    # Whatever this process starts itself must not read the monitor's line.
    channel = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return asyncio.run(_child(arguments.name, arguments.instance, channel))


async def _child(name: str, instance: str, channel: socket.socket) -> int:
    reader, writer = await asyncio.open_connection(sock=channel, limit=LINE_LIMIT_BYTES)

    def say(said: Said) -> None:
        writer.write(line(said))

    setup = parse(await reader.readline(), Setup)
    if os.getppid() != setup.monitor:
        return 1
    from bus import memory
    from scanbus import logs

    memory.return_large()
    logs.configure(setup.config.log, f"{name}/{instance}" if instance else name)
    try:
        if name == MAIN:
            await _serve_main(setup, reader, say)
        else:
            memory.limit(setup.config.memory_limit_mb)
            await join(setup.config, setup.config.processes[name], name, instance, reader=reader, say=say)
    except ScanbusError as error:
        say(Said(failed=error.text))
        return 1
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return 0


async def _serve_main(setup: Setup, reader: asyncio.StreamReader, say: Say) -> None:
    from bus.broker import Broker
    from bus.endpoints import default_endpoint, state_folder
    from bus.opened import open_store
    from bus.runtime import Runtime
    from bus.tracer import Tracer
    from schemas.registry import private_fields

    config = setup.config
    startable = {kind for process, kinds in config.processes.items() if process != MAIN for kind in kinds}
    broker = Broker(
        config,
        known=startable | set(config.processes[MAIN]) | {point.name for point in entry_points(group="scanbus.actors")},
        startable=startable,
        on_wanted=lambda service: say(Said(wanted=service)),
        on_lost=lambda process, reason: say(Said(lost=process, reason=reason)),
    )
    state = state_folder(config)
    store = open_store(config)
    tracer = Tracer(config, broker, version=version("scanbus"), private=private_fields())
    actors = [actor_type(kind)(config) for kind in config.processes[MAIN]]
    for actor in actors:
        if actor.service == "gateway":
            door: Any = actor
            door.sockets = [socket.socket(fileno=number) for number in setup.sockets]
            door.health, door.state_folder, door.version = broker.failing, state, version("scanbus")

    async def obey() -> None:
        await _obey(reader, broker)
        tracer.end()

    try:
        await broker.listen(default_endpoint(config))
        runtimes = [Runtime(broker.local_port(MAIN), actor, store=store) for actor in (tracer, *actors)]
        await _run(runtimes, obey(), say, repeat=True)
    except BaseException:
        # The exception itself matters more than that this cannot be saved.
        with contextlib.suppress(ScanbusError, OSError):
            say(Said(trace=tracer.dump(state)))
        raise
    finally:
        await broker.close()


async def join(
    config: Config,
    kinds: Sequence[str],
    name: str,
    instance: str = "",
    *,
    endpoint: str = "",
    reader: asyncio.StreamReader | None = None,
    say: Say = lambda said: None,
) -> None:
    """Serve actors, by the names of their entry points, on the bus of a running service until drained.

    Raises what the actors' `start` raises, Denied where the keys are missing, NotFound for an unknown actor.
    """
    from bus.endpoints import default_endpoint
    from bus.opened import open_store
    from bus.port import ZmqPort
    from bus.runtime import Runtime

    store = open_store(config)
    # Actors that share a process leave together: one that were idle alone could not be started again.
    idle_s = 0.0 if reader is None or len(kinds) > 1 else config.device.idle_s if instance else config.idle_s
    process = f"{name}/{instance}" if instance else name
    runtimes = [
        Runtime(
            ZmqPort(config, endpoint or default_endpoint(config), process),
            actor_type(kind)(config, instance),
            store=store,
            idle_s=idle_s,
        )
        for kind in kinds
    ]
    await _run(runtimes, _obey(reader, None) if reader else None, say)


def actor_type(kind: str) -> "type[Actor]":
    """The actor with this entry point. Raises NotFound, and Unavailable where it cannot be imported."""
    points = entry_points(group="scanbus.actors", name=kind)
    if not points:
        known = ", ".join(sorted(point.name for point in entry_points(group="scanbus.actors")))
        raise NotFound(f"There is no actor {kind!r}; there are: {known or 'none, as Scanbus is not installed'}.")
    try:
        actor: type[Actor] = next(iter(points)).load()
    except ImportError as error:
        raise Unavailable(f"The actor {kind!r} cannot be loaded: {error}.") from error
    return actor


async def _run(
    runtimes: "list[Runtime]", obey: Coroutine[Any, Any, None] | None, say: Say, *, repeat: bool = False
) -> None:
    """Run until a signal, the monitor's end, or the end of one runtime; then all end, the last one first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ready = asyncio.create_task(_ready(runtimes))
    beside = [ready, asyncio.create_task(_alive(ready, say, repeat)), asyncio.create_task(_stop(stop, obey))]
    serving = [asyncio.create_task(runtime.run()) for runtime in runtimes]
    for task in serving:
        task.add_done_callback(lambda _: stop.set())
    await stop.wait()
    for runtime, task in zip(reversed(runtimes), reversed(serving), strict=True):
        runtime.drain()
        if not ready.done():
            # It may wait for a broker that is not there.
            task.cancel()
        await asyncio.wait([task])
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    for task in serving:
        if not task.cancelled():
            task.result()


async def _ready(runtimes: "list[Runtime]") -> None:
    for runtime in runtimes:
        await runtime.ready()


async def _alive(ready: asyncio.Task[None], say: Say, repeat: bool) -> None:
    await ready
    said = Said(alive=version("scanbus"))
    say(said)
    while repeat:
        await asyncio.sleep(ALIVE_S)
        say(said)


async def _stop(stop: asyncio.Event, obey: Coroutine[Any, Any, None] | None) -> None:
    if obey is not None:
        await obey
        stop.set()


async def _obey(reader: asyncio.StreamReader, broker: "Broker | None") -> None:
    """Do what the monitor tells, until it tells to end, or has ended itself."""
    while text := await reader.readline():
        told = parse(text, Told)
        if told.drain:
            return
        if broker is None:
            continue
        if told.exited:
            broker.gone(told.exited)
        elif told.gave_up:
            broker.gave_up(told.gave_up, told.reason)
        elif told.restored:
            broker.restored(told.restored)


if __name__ == "__main__":
    sys.exit(main())
