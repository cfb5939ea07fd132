"""Where a browser's request meets the bus: without it, each way in would open sessions and ask services by itself."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from bus import Context
from gateway.attendance import Attendance
from gateway.stays import list_stays, own_session
from gateway.tokens import Tokens
from schemas import cache
from schemas.errors import Busy, Canceled, Internal, ScanbusError
from schemas.message import Message, Request
from schemas.session import Close, Closed, ListStays, Open, Opened, Stays

FINISH_S = 2.0
"""Less than the server waits for open responses: whoever is canceled can still be told."""


class Desk:
    """Answers requests of outsiders, each in a task that may outlive the connection that it came by."""

    def __init__(self, ctx: Context, tokens: Tokens, version: str, session_limit: int) -> None:
        self.ctx = ctx
        self._session_limit = session_limit
        self.version = version
        self.attendance = Attendance(ctx)
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
        if not await self.ctx.offload(self.ctx.store.has, session):
            return ""
        await self.attendance.use(session, origin)
        return session

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
                return await self._open(message, origin)
            if isinstance(message, ListStays):
                return Stays(stays=await list_stays(self.ctx, origin, self.attendance.connected))
            ctx = self.ctx.on_behalf(session)
            if isinstance(message, Close):
                await ctx.call(cache.EndSession())
                self.attendance.forget(session, origin)
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

    async def _open(self, message: Open, origin: str) -> Opened:
        session = await self.session_of(message.token, origin)
        if not session and message.session_id:
            session = await own_session(self.ctx, message.session_id, origin)
            await self.attendance.use(session, origin)
        resumed = bool(session)
        if not resumed:
            session = await self._begin(origin)
        token = self._tokens.issue(session, origin)
        return Opened(session_id=session, token=token, version=self.version, resumed=resumed)

    async def _begin(self, origin: str) -> str:
        kept = (await self.ctx.call(cache.ListSessions(origin=origin))).sessions
        if len(kept) >= self._session_limit:
            raise Busy(f"There are {len(kept)} sessions already (gateway.sessions_per_origin): end one of them.")
        return (await self.ctx.call(cache.BeginSession(origin=origin))).session_id
