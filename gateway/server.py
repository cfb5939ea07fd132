"""The listening sockets and who serves them: without it, a restart would refuse connections."""

import asyncio
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.peers import holder, may_connect
from gateway.sockets import CLOSE_GRACE_S
from schemas.config import GatewayConfig
from schemas.errors import Conflict, Invalid

BACKLOG = 1024
DRAIN_S = 3
"""How long open responses may take once the server shall stop."""

log = structlog.get_logger()


def listen(hosts: Sequence[str], ports: Sequence[int]) -> list[socket.socket]:
    """Listening sockets for all hosts and ports, or none; ::1 is left out where there is no IPv6.

    Raises Conflict, which names who has the port, or Invalid for an address that is not ours.
    """
    opened: list[socket.socket] = []
    try:
        for host in hosts:
            for port in ports:
                if listening := _listen(host, port):
                    opened.append(listening)
    except BaseException:
        for one in opened:
            one.close()
        raise
    return opened


def _listen(host: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # With the protocol named, asyncio turns off Nagle's delay on what is accepted: 40 ms for each answer.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError:
        if family == socket.AF_INET6:
            return None
        raise
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRNOTAVAIL and host == "::1":
            return None
        raise _explained(host, port, error) from error
    return listening


def _explained(host: str, port: int, error: OSError) -> Conflict | Invalid:
    if error.errno == errno.EADDRINUSE:
        who = holder(port) or "another program"
        return Conflict(f"Port {port} on {host} is in use by {who}. Stop it, or set gateway.ports to other ports.")
    return Invalid(f"Cannot listen on port {port} of {host}: {error.strerror}. Set gateway.hosts and gateway.ports.")


class Server(uvicorn.Server):
    """Serves an application on sockets that listen already, until it is stopped; leaves signals alone."""

    def __init__(self, app: ASGIApp, sockets: list[socket.socket], config: GatewayConfig) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=H11Protocol if config.other_users else OwnUserOnly,
                ws=PatientWebSocket,
                ws_max_size=2 * config.request_limit_bytes,
                ws_per_message_deflate=False,
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._sockets = sockets
        self._stopping = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections from now on."""
        self._serving = asyncio.create_task(self.serve(self._sockets))

    async def stop(self) -> None:
        """Accept nothing new, finish open responses within `DRAIN_S`, close WebSockets with 1012."""
        self._stopping.set()
        if self._serving is not None:
            await self._serving

    async def main_loop(self) -> None:
        """Wait for `stop`; uvicorn's own loop wakes ten times a second."""
        await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process, not to one of its servers."""
        yield


class OwnUserOnly(H11Protocol):
    """HTTP that hangs up on other users of this computer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look who is there, once for the whole connection."""
        super().connection_made(transport)
        peer: Any = transport.get_extra_info("peername")
        ours: Any = transport.get_extra_info("sockname")
        if not _welcome(peer, ours):
            transport.abort()


class PatientWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that does not wait for ever for a browser that reads nothing."""

    async def run_asgi(self) -> None:
        """Serve the connection; what was not read within `CLOSE_GRACE_S` after its end is dropped."""
        await super().run_asgi()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(CLOSE_GRACE_S, self.transport.abort)


def _welcome(peer: Any, ours: Any) -> bool:
    try:
        return may_connect(peer[:2], ours[:2])
    except (OSError, TypeError) as error:
        log.warning("refused a connection: cannot see whose it is (gateway.other_users allows all)", reason=str(error))
        return False
