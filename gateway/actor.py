"""The gateway as an actor: without it, the bus would end at the edge of the service."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from bus import Actor, Context
from gateway.app import application
from gateway.desk import Desk
from gateway.files import Files, Pictures
from gateway.server import Server
from gateway.site import Site
from gateway.sockets import Client
from gateway.tokens import Tokens, load_key
from schemas import registry
from schemas.cache import SessionEnded
from schemas.config import Config
from schemas.message import Event, Message


class Gateway(Actor):
    """Serves browsers on sockets that it is given; whoever makes it sets the four attributes before it starts."""

    service: ClassVar[str] = "gateway"

    def __init__(self, config: Config, instance: str = "") -> None:
        super().__init__(config, instance)
        self.sockets: list[socket.socket] = []
        """Already listening."""
        self.health: Callable[[], list[str]] = list
        """Why the service is not healthy; empty when it is."""
        self.state_folder = Path(config.state_folder)
        """Where the key of the tokens is."""
        self.version = ""
        self._clients: set[Client] = set()
        self._pictures = Pictures(config.cache.memory_limit_mb)
        self._desk: Desk | None = None
        self._server: Server | None = None

    async def start(self, ctx: Context) -> None:
        """Serve. Raises StorageFailed when the key of the tokens cannot be kept."""
        tokens = Tokens(await ctx.offload(load_key, self.state_folder))
        self._desk = Desk(ctx, tokens, self.version, self.config.gateway.sessions_per_origin)
        ctx.spawn(self._desk.attendance.keep_telling())
        site = await ctx.offload(Site)
        config = self.config.gateway
        app = application(self._desk, Files(ctx, self._pictures), site, config, lambda: self.health(), self._clients)
        self._server = Server(app, self.sockets, config)
        await self._server.start()

    async def stop(self) -> None:
        """Accept nothing new, close WebSockets with 1012, finish open responses or say that they are canceled."""
        if self._desk is not None and self._server is not None:
            await asyncio.gather(self._server.stop(), self._desk.stop())

    @classmethod
    def events(cls) -> dict[type[Message], str]:
        """Everything that browsers may hear, and the end of a session."""
        heard: dict[type[Message], str] = {kind: "hear" for kind in registry.events().values() if kind.browser}
        return heard | {SessionEnded: "forget"}

    async def hear(self, event: Event, ctx: Context) -> None:
        """Pass an event on: to everybody, or to the session that it concerns."""
        for client in list(self._clients):
            if ctx.session in ("", client.session):
                client.hear(event)

    async def forget(self, _event: SessionEnded, ctx: Context) -> None:
        """Drop what is kept of a session, and say goodbye to its browsers."""
        self._pictures.end(ctx.session)
        for client in list(self._clients):
            if client.session == ctx.session:
                client.ended()
