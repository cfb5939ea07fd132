"""Whatever carries the letters: an actor cannot tell the difference."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from bus.check import check_port
from bus.codec import LETTER_LIMIT_BYTES, decode
from bus.port import Deliver, Exchange, MemoryPort, Port
from schemas.envelope import Envelope
from schemas.errors import TooLarge
from tests.unit.bus.conftest import free_ports
from tests.unit.bus.echo import bus


@pytest.mark.parametrize("transport", ["memory", "ipc", "tcp"])
def test_a_port_keeps_its_contract(tmp_path: Path, transport: str) -> None:
    async def story() -> None:
        async with asyncio.timeout(30), bus(tmp_path, transport, free_ports()) as here:
            await check_port(here.port)

    asyncio.run(story())


class Namesake(MemoryPort):
    """Has the name of every other."""

    def __init__(self, broker: Exchange, name: str) -> None:
        super().__init__(broker, name)
        self.name = f"{name}#1"


class Hasty(MemoryPort):
    """Delivers while the sender still sends."""

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        self._broker.attach(self.name, topics, lambda data: deliver(decode(data)))


class Shuffled(MemoryPort):
    """Keeps each letter back until the next one has come."""

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        kept: list[Envelope] = []

        def swap(letter: Envelope) -> None:
            kept.append(letter)
            if len(kept) == 2 or letter.sender == "bus":
                while kept:
                    deliver(kept.pop())

        await super().open(topics, swap)


class Silent(MemoryPort):
    """Loses what is too long without a word."""

    def send(self, letter: Envelope) -> None:
        with suppress(TooLarge):
            super().send(letter)


class Narrow(MemoryPort):
    """Takes a little less than it must."""

    def send(self, letter: Envelope) -> None:
        if len(letter.body) > LETTER_LIMIT_BYTES - 1000:
            raise TooLarge
        super().send(letter)


class Deaf(MemoryPort):
    """Hears events some time after it was opened."""

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        await super().open([], deliver)
        asyncio.get_running_loop().call_later(0.05, self._listen, topics, deliver)

    def _listen(self, topics: Sequence[str], deliver: Deliver) -> None:
        if not self._closed:
            self._broker.attach(self.name, topics, lambda data: deliver(decode(data)))


class Curious(MemoryPort):
    """Hears other topics, too."""

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        await super().open([*topics, *(f"{topic}_elsewhere" for topic in topics)], deliver)


class Forgetful(MemoryPort):
    """Sends in the next turn, unless it was closed by then."""

    def send(self, letter: Envelope) -> None:
        if len(letter.body) > LETTER_LIMIT_BYTES:
            raise TooLarge
        asyncio.get_running_loop().call_soon(self._send, letter)

    def _send(self, letter: Envelope) -> None:
        if not self._closed:
            super().send(letter)


class Undead(MemoryPort):
    """Hands over after it was closed what came before."""

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        loop = asyncio.get_running_loop()
        self._broker.attach(self.name, topics, lambda data: loop.call_soon(deliver, decode(data)))


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Namesake, "have one name"),
        (Hasty, "while it is being sent"),
        (Shuffled, "Requests in order"),
        (Silent, "does not raise TooLarge"),
        (Narrow, "is not taken"),
        (Deaf, "did not come"),
        (Curious, "no other topic's"),
        (Forgetful, "just before the port was closed"),
        (Undead, "after the port was closed"),
    ],
)
def test_the_suite_notices_a_broken_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Exchange, str], Port], complaint: str
) -> None:
    if broken in (Deaf, Forgetful):
        # It would be waited for in vain.
        monkeypatch.setattr("bus.check.WAIT_S", 0.5)

    async def story() -> None:
        async with asyncio.timeout(30), bus(tmp_path, "memory", 0) as here:
            await check_port(lambda name: broken(here.broker, name))

    with pytest.raises(AssertionError, match=complaint):
        asyncio.run(story())
