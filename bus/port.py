"""An actor's way to the bus: letters out, letters in, over ZeroMQ or inside one process."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import zmq

from bus import endpoints
from bus.codec import decode, encode, encode_body
from bus.pump import Pump
from schemas.bus import GetStatus
from schemas.config import Config
from schemas.envelope import Envelope, Kind

FLUSH_S = 1.0
"""How long a port that closes waits for the broker to have read everything."""
Deliver = Callable[[Envelope], None]
"""Takes one letter; called in the loop that opened the port."""


class Port(Protocol):
    """What a runtime needs of the bus; `check_port` says what must hold."""

    name: str
    """Unique on the bus; what comes before `#` names the process."""

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        """Connect; returns when every event on these topics, from now on, will be delivered."""

    def send(self, letter: Envelope) -> None:
        """Hand over a letter; order is kept. Raises TooLarge."""

    async def close(self) -> None:
        """Leave; letters that were sent are handed over first."""


class Exchange(Protocol):
    """What a port in the same process needs of the broker."""

    def attach(self, name: str, topics: Sequence[str], deliver: Callable[[bytes], object]) -> None:
        """A port has come."""

    def take(self, peer: str, data: bytes) -> None:
        """One letter from one peer."""

    def detach(self, name: str) -> None:
        """A port has gone."""


def unique(name: str) -> str:
    """A port's name for one life of a process: two lives must not be taken for one."""
    return f"{name}#{secrets.token_hex(4)}"


def process_of(peer: str) -> str:
    """The process that a port's name belongs to."""
    return peer.rpartition("#")[0] or peer


class MemoryPort:
    """A port to a broker in the same process; letters pass through the codec as they would outside."""

    def __init__(self, broker: Exchange, name: str) -> None:
        self.name = unique(name)
        self._broker = broker
        self._closed = False

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        """Attach to the broker; there is nothing to wait for."""
        loop = asyncio.get_running_loop()

        def hand_over(letter: Envelope) -> None:
            if not self._closed:
                deliver(letter)

        self._broker.attach(self.name, topics, lambda data: loop.call_soon(hand_over, decode(data)))

    def send(self, letter: Envelope) -> None:
        """Hand the letter to the broker."""
        self._broker.take(self.name, encode(letter))

    async def close(self) -> None:
        """Detach."""
        self._closed = True
        self._broker.detach(self.name)


class ZmqPort:
    """A port to a broker elsewhere: a DEALER for letters, a SUB for events."""

    def __init__(self, config: Config, endpoint: str, name: str) -> None:
        self.name = unique(name)
        self._endpoint = endpoint
        self._config = config
        self._context = zmq.Context()
        self._pumps: list[Pump] = []
        self._deliver: Deliver = lambda letter: None
        self._welcomed = False

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        """Connect and subscribe; the last topic is the port's own, so its welcome proves all the others."""
        self._deliver = deliver
        welcomed = asyncio.Event()
        welcome = endpoints.WELCOME + self.name.encode()

        def heard(frames: list[bytes]) -> None:
            if frames[0] == welcome:
                welcomed.set()
            else:
                self._deliver(decode(frames[1]))

        letters, events = self._context.socket(zmq.DEALER), self._context.socket(zmq.SUB)
        self._pumps = [Pump(letters, lambda frames: self._deliver(decode(frames[0]))), Pump(events, heard)]
        for socket in (letters, events):
            endpoints.secure_client(socket, self._endpoint, self._config)
        letters.setsockopt(zmq.IDENTITY, self.name.encode())
        letters.setsockopt(zmq.SNDHWM, 0)
        letters.setsockopt(zmq.LINGER, 1000)
        events.setsockopt(zmq.LINGER, 0)
        for topic in topics:
            events.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        events.setsockopt(zmq.SUBSCRIBE, welcome)
        events.connect(endpoints.events_of(self._endpoint))
        letters.connect(self._endpoint)
        await welcomed.wait()
        self._welcomed = True

    def send(self, letter: Envelope) -> None:
        """Hand the letter to ZeroMQ, which keeps it while the broker restarts."""
        self._pumps[0].send([encode(letter)])

    async def close(self) -> None:
        """Close the sockets once the broker has read what was sent, or after `FLUSH_S`."""
        if self._welcomed:
            await self._flush()
        for pump in self._pumps:
            pump.close()
        await asyncio.get_running_loop().run_in_executor(None, self._context.term)

    async def _flush(self) -> None:
        # ZeroMQ drops what the other side has not read when a connection ends, and tells nobody how much that is.
        key, read = f"{self.name}.last", asyncio.Event()

        def heard(letter: Envelope) -> None:
            if letter.re == key:
                read.set()

        self._deliver = heard
        body = encode_body(GetStatus())
        self.send(Envelope(id=key, kind=Kind.REQUEST, to="bus", sender=self.name, ttl=FLUSH_S, body=body))
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await read.wait()
