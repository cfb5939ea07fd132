"""Each claim about the bus holds over every transport."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.bus.echo import Asker, Bus, Echo, bus

Story = Callable[[Bus, Echo, Asker], Awaitable[None]]


def free_ports() -> int:
    """The first of two free TCP ports in a row."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture(params=["memory", "ipc", "tcp"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Story], None]:
    """Plays a story on a bus with one echo and one asker."""

    def run(story: Story) -> None:
        async def tell() -> None:
            async with asyncio.timeout(20), bus(tmp_path, request.param, free_ports()) as here:
                echo, asker = Echo(here.config), Asker(here.config)
                await here.add(echo)
                await here.add(asker)
                await story(here, echo, asker)

        asyncio.run(tell())

    return run
