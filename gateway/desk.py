"""Where a browser's request meets the bus: without it, each way in would open sessions and ask services by itself."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from bus import Context
from gateway.tokens import Tokens, new_session_id
from schemas import cache
from schemas.errors import Canceled, Internal, ScanbusError
from schemas.message import Message, Request
from schemas.session import Close, Closed, Open, Opened

FINISH_S = 2.0
"""Less than the server waits for open responses: whoever is canceled can still be told."""


class Desk:
    """Answers requests of outsiders, each in a task that may outlive the connection that it came by."""

    def __init__(self, ctx: Context, tokens: Tokens, version: str) -> None:
        self.ctx = ctx
        self.version = version
        self._tokens = tokens
        self._tasks: set[asyncio.Task[Message]] = set()

    def ask(
        self,
        message: Message,
        *,
        session: str,
        origin: str,
        part: Callable[[Message], None],
        reply: Callable[[Message], None],
    ) -> "asyncio.Task[Message]":
        """Begin to answer: `part` for each part, then `reply` exactly once, also when the task is canceled."""

        def done(task: asyncio.Task[Message]) -> None:
            self._tasks.discard(task)
            reply(Canceled().failure() if task.cancelled() else task.result())

        task = asyncio.create_task(self._answer(message, session, origin, part))
        self._tasks.add(task)
        task.add_done_callback(done)
        return task

    async def session_of(self, token: str, origin: str) -> str:
        """The living session that a token opens for this origin, or ""."""
        session = self._tokens.session_of(token, origin)
        alive = await self.ctx.offload(self.ctx.store.has, session)
        return session if alive else ""

    async def stop(self) -> None:
        """Let what is asked be answered for `FINISH_S`, then cancel it: its asker is told so."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, message: Message, session: str, origin: str, part: Callable[[Message], None]) -> Message:
        try:
            if isinstance(message, Open):
                return await self._open(message.token, origin)
            ctx = self.ctx.on_behalf(session)
            if isinstance(message, Close):
                await ctx.call(cache.EndSession())
                return Closed()
            async with ctx.stream(cast(Request[Message, Any], message)) as stream:
                async for item in stream:
                    part(item)
                return await stream.reply()
        except ScanbusError as error:
            return error.failure()
        except Exception:
            self.ctx.log.exception("request failed at the web edge", session=session[:8])
            return Internal().failure()

    async def _open(self, token: str, origin: str) -> Opened:
        session = await self.session_of(token, origin)
        resumed = bool(session)
        if not resumed:
            session = new_session_id()
            await self.ctx.offload(self.ctx.store.begin, session)
        token = self._tokens.issue(session, origin)
        return Opened(session_id=session, token=token, version=self.version, resumed=resumed)
