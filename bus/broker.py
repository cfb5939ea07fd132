"""Two sockets around the router's rules, and a place in the same process for light actors."""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

import structlog
import zmq

from bus import endpoints
from bus.allowance import MALFORMED_BYTES, Allowance
from bus.codec import LETTER_LIMIT_BYTES, decode, encode
from bus.port import MemoryPort, process_of
from bus.pump import Pump
from bus.router import Action, Deliver, Publish, Router, Unfit, Wanted
from schemas.config import Config
from schemas.envelope import Envelope, Kind
from schemas.errors import Conflict, ScanbusError

TICK_S = 0.1
UNREAD_LETTERS = 32
"""Letters of one peer that ZeroMQ reads ahead; the others wait at their sender's."""
Watcher = Callable[[float, Envelope, bytes], None]
"""Told when a letter was seen, in seconds of the broker's clock, the letter, and its bytes. Must not wait or raise."""
log = structlog.get_logger()


class Broker:
    """Gives letters to whom the router names.

    `on_wanted` is told a service that shall be started, `on_lost` a process that shall be ended, and why.
    """

    def __init__(
        self,
        config: Config,
        *,
        known: set[str],
        startable: set[str],
        on_wanted: Callable[[str], None] = lambda service: None,
        on_lost: Callable[[str, str], None] = lambda process, reason: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._config = config
        self._on_wanted = on_wanted
        self._on_lost = on_lost
        self._clock = clock
        self._router = Router(
            f"broker-{secrets.token_hex(4)}",
            known=lambda to: to.partition("/")[0] in known,
            startable=lambda to: to.partition("/")[0] in startable,
            may_serve=self._may_serve,
            queue_letters=config.bus.queue_letters,
            lost_after_s=config.bus.lost_after_s,
            start_timeout_s=config.bus.start_timeout_s,
        )
        self._own = f"{self._router.name}."
        self.watchers: list[Watcher] = []
        """Each sees every letter once, all in the same order: from peers on arrival, the broker's own as they leave."""
        self._local: dict[str, tuple[frozenset[str], Callable[[bytes], object]]] = {}
        self._outside: set[str] = set()
        self._allowance = Allowance()
        self._ignored: set[str] = set()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._letters: Pump | None = None
        self._events: Pump | None = None
        self._door: Pump | None = None
        self._lock = -1
        self._files: list[Path] = []
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """Another one after a restart."""
        return self._router.name

    def local_port(self, name: str) -> MemoryPort:
        """A port for actors in this process."""
        self._keep_time()
        return MemoryPort(self, name)

    async def listen(self, endpoint: str) -> None:
        """Let peers connect from outside. Raises Conflict where another broker lives at this endpoint."""
        self._keep_time()
        self._lock_endpoint(endpoint)
        self._context = zmq.Context()
        if endpoint.startswith("tcp://"):
            endpoints.make_keys(self._config)
            door = self._context.socket(zmq.REP)
            door.bind("inproc://zeromq.zap.01")
            self._door = Pump(door, lambda frames: self._admit(frames))
        letters, events = self._context.socket(zmq.ROUTER), self._context.socket(zmq.XPUB)
        # Owned by their pumps from the start, so that `close` finds them whatever fails below.
        self._events = Pump(events, self._subscribed)
        self._letters = Pump(letters, lambda frames: self.take(frames[0].decode("utf-8", "replace"), frames[-1]))
        letters.setsockopt(zmq.ROUTER_MANDATORY, 1)
        events.setsockopt(zmq.XPUB_VERBOSE, 1)
        for socket, address in ((letters, endpoint), (events, endpoints.events_of(endpoint))):
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDHWM, 10_000)
            socket.setsockopt(zmq.RCVHWM, UNREAD_LETTERS)
            socket.setsockopt(zmq.MAXMSGSIZE, 2 * LETTER_LIMIT_BYTES)
            endpoints.secure_server(socket, endpoint, self._config)
            try:
                socket.bind(address)
            except zmq.ZMQError as error:
                raise Conflict(f"The bus cannot listen at {address}: {error}.") from error

    def take(self, peer: str, data: bytes) -> None:
        """One letter from one peer, as bytes."""
        if peer in self._ignored:
            return
        try:
            letter = decode(data)
        except ScanbusError as error:
            log.warning("letter refused", peer=peer, code=error.code)
            self._do([self._router.refuse(peer, error)])
            self._unasked(peer, max(len(data), MALFORMED_BYTES))
            return
        if peer not in self._local:
            self._outside.add(peer)
        if letter.kind not in (Kind.REQUEST, Kind.REPLY) and not self._unasked(peer, len(data)):
            return
        now = self._clock()
        for watch in self.watchers:
            watch(now, letter, data)
        self._do(self._router.receive(peer, letter, now))

    def attach(self, name: str, topics: Sequence[str], deliver: Callable[[bytes], object]) -> None:
        """A port of this process has come."""
        self._local[name] = (frozenset(topics), deliver)

    def detach(self, name: str) -> None:
        """A port of this process has gone."""
        self._local.pop(name, None)
        self._do(self._router.gone(name, self._clock()))

    def gone(self, process: str) -> None:
        """A process has ended: what it worked on is retried or lost."""
        for peer in [peer for peer in self._outside | self._ignored if process_of(peer) == process]:
            self._leave(peer)
            self._ignored.discard(peer)

    def gave_up(self, service: str, reason: str) -> None:
        """A service will not be started again soon."""
        self._do(self._router.gave_up(service, reason))

    def restored(self, service: str) -> None:
        """A service may be asked for again."""
        self._do(self._router.restored(service))

    def failing(self) -> list[str]:
        """Why the service is not healthy; empty when it is."""
        return [f"{name}: {reason}" for name, reason in self._router.failed().items()]

    async def close(self) -> None:
        """Close the sockets and remove their files."""
        if self._ticking is not None:
            self._ticking.cancel()
        for pump in (self._letters, self._events, self._door):
            if pump is not None:
                pump.close()
        if self._context is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._context.term)
        for file in self._files:
            file.unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _keep_time(self) -> None:
        if self._ticking is None:
            self._tick()

    def _tick(self) -> None:
        self._do(self._router.tick(self._clock()))
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Deliver(peer, letter):
                    self._deliver(peer, letter)
                case Publish(letter):
                    self._publish(letter)
                case Wanted(service):
                    self._on_wanted(service)
                case Unfit(peer, reason):
                    log.warning("worker lost", peer=peer, reason=reason)
                    self._outside.discard(peer)
                    if peer not in self._local:
                        self._on_lost(process_of(peer), reason)

    def _deliver(self, peer: str, letter: Envelope) -> None:
        data = self._written(letter)
        if peer in self._local:
            self._local[peer][1](data)
        elif self._letters is not None:
            try:
                self._letters.send([peer.encode(), data])
            except zmq.ZMQError as error:
                # EHOSTUNREACH: it has left; EAGAIN: it does not read its letters. Either way it is no peer any more.
                log.warning("peer unreachable", peer=peer, reason=error.strerror)
                asyncio.get_running_loop().call_soon(self._leave, peer)

    def _publish(self, letter: Envelope) -> None:
        data = self._written(letter)
        for topics, deliver in list(self._local.values()):
            if letter.to in topics:
                deliver(data)
        if self._events is not None:
            self._events.send([letter.to.encode() + b"\0", data])

    def _written(self, letter: Envelope) -> bytes:
        data = encode(letter)
        if letter.id.startswith(self._own):
            now = self._clock()
            for watch in self.watchers:
                watch(now, letter, data)
        return data

    def _unasked(self, peer: str, size: int) -> bool:
        # Requests and replies wait for each other; everything else may come without end.
        now = self._clock()
        if peer in self._local or self._allowance.take(peer, size, now):
            return True
        self._ignored.add(peer)
        self._do(self._router.unfit(peer, "it flooded the bus with letters", now))
        return False

    def _may_serve(self, peer: str, service: str) -> bool:
        # A name is only a claim: this is against mistakes, whoever can connect is trusted.
        table = self._config.processes
        process, _, instance = process_of(peer).partition("/")
        kind, _, of = service.partition("/")
        if peer in self._local:
            return True
        if process in table and process != "main":
            return kind in table[process] and of == instance
        return kind not in table.get("main", ())

    def _leave(self, peer: str) -> None:
        self._outside.discard(peer)
        self._allowance.forget(peer)
        self._do(self._router.gone(peer, self._clock()))

    def _subscribed(self, frames: list[bytes]) -> None:
        topic = frames[0][1:]
        if frames[0][:1] == b"\1" and topic.startswith(endpoints.WELCOME) and self._events is not None:
            self._events.send([topic, b""])

    def _admit(self, frames: list[bytes]) -> None:
        if self._door is not None:
            self._door.send(endpoints.allowed(self._config, frames))

    def _lock_endpoint(self, endpoint: str) -> None:
        # A second bind on a live ipc path would silently take over its clients.
        if not endpoint.startswith("ipc://"):
            return
        path = Path(endpoint.removeprefix("ipc://"))
        lock = Path(f"{path}.lock")
        while self._lock < 0:
            descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                raise Conflict(
                    f"Another Scanbus uses {endpoint}: stop it first, or name another runtime folder."
                ) from error
            if lock.exists() and lock.stat().st_ino == os.fstat(descriptor).st_ino:
                self._lock = descriptor
            else:
                # Its last owner removed the file between our open and our lock.
                os.close(descriptor)
        self._files = [path, Path(f"{path}.events"), lock]
