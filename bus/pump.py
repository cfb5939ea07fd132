"""A ZeroMQ socket in an asyncio loop: without it, each hop would pay for a future and a task."""

import asyncio
from collections.abc import Callable

import zmq

BURST = 64
"""Messages handled before the loop gets a turn."""


class Pump:
    """Calls `on_frames` for every message that arrives on `socket`, which it owns from then on."""

    def __init__(self, socket: "zmq.Socket[bytes]", on_frames: Callable[[list[bytes]], None]) -> None:
        self.socket = socket
        self._on_frames = on_frames
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._loop.add_reader(socket.FD, self._drain)
        self._again()

    def send(self, frames: list[bytes]) -> None:
        """Send without blocking. Raises zmq.ZMQError where the peer is gone or too slow."""
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        finally:
            self._again()

    def close(self) -> None:
        """Stop and close the socket."""
        self._closed = True
        self._loop.remove_reader(self.socket.FD)
        self.socket.close()

    def _again(self) -> None:
        # The descriptor signals edges only, and sending may swallow one (zmq_getsockopt(3), ZMQ_FD).
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        for _ in range(BURST):
            if self._closed:
                return
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._on_frames(frames)
            except BaseException:
                # What comes after it must not wait for the next edge.
                self._again()
                raise
        self._again()
