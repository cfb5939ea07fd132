"""An actor's way to the bus: letters out, letters in, over ZeroMQ or inside one process."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

import zmq

from bus import endpoints
from bus.codec import decode, encode
from bus.pump import Pump
from schemas.config import Config
from schemas.envelope import Envelope

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

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        """Attach to the broker; there is nothing to wait for."""
        loop = asyncio.get_running_loop()
        self._broker.attach(self.name, topics, lambda data: loop.call_soon(deliver, decode(data)))

    def send(self, letter: Envelope) -> None:
        """Hand the letter to the broker."""
        self._broker.take(self.name, encode(letter))

    async def close(self) -> None:
        """Detach."""
        self._broker.detach(self.name)


class ZmqPort:
    """A port to a broker elsewhere: a DEALER for letters, a SUB for events."""

    def __init__(self, config: Config, endpoint: str, name: str) -> None:
        self.name = unique(name)
        self._endpoint = endpoint
        self._config = config
        self._context = zmq.Context()
        self._pumps: list[Pump] = []

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        """Connect and subscribe; the last topic is the port's own, so its welcome proves all the others."""
        welcomed = asyncio.Event()
        welcome = endpoints.WELCOME + self.name.encode()

        def heard(frames: list[bytes]) -> None:
            if frames[0] == welcome:
                welcomed.set()
            else:
                deliver(decode(frames[1]))

        letters, events = self._context.socket(zmq.DEALER), self._context.socket(zmq.SUB)
        self._pumps = [Pump(letters, lambda frames: deliver(decode(frames[0]))), Pump(events, heard)]
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

    def send(self, letter: Envelope) -> None:
        """Hand the letter to ZeroMQ, which keeps it while the broker restarts."""
        self._pumps[0].send([encode(letter)])

    async def close(self) -> None:
        """Close the sockets; what was sent is flushed for at most a second."""
        for pump in self._pumps:
            pump.close()
        await asyncio.get_running_loop().run_in_executor(None, self._context.term)
