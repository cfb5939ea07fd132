"""All that a handler may do: without it, an actor could touch the world behind the trace's back."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from time import monotonic, time
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, ParamSpec, Self, TypeVar, cast

import structlog

from bus.blobs import BlobStore
from bus.codec import BodyDecoder
from schemas.envelope import Envelope, Kind
from schemas.errors import Failure, Internal, Invalid, from_failure
from schemas.message import Blob, Event, Message, Request

if TYPE_CHECKING:
    from bus.runtime import Runtime

ReplyT = TypeVar("ReplyT", bound=Message)
PartT = TypeVar("PartT")
ResultT = TypeVar("ResultT")
Arguments = ParamSpec("Arguments")


class World:
    """What an actor sees of time and chance; a replay brings its own."""

    def now(self) -> float:
        """Seconds of a clock that only moves forward."""
        return monotonic()

    def unix_s(self) -> float:
        """Seconds of the computer's own clock, since 1970: for what people read, and for what outlives a process."""
        return time()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def new_id(self, trace: str) -> str:
        """32 hexadecimal digits that nobody can guess, for what follows from the letter `trace`."""
        return secrets.token_hex(16)


class Context:
    """On whose behalf a handler works, until when, and its only way to the rest of the world."""

    def __init__(
        self, runtime: "Runtime", *, session: str = "", cause: Envelope | None = None, deadline: float = float("inf")
    ) -> None:
        self._runtime = runtime
        self._cause = cause
        self._deadline = deadline
        self.session = session
        self.trace = (cause.trace or cause.id) if cause is not None else ""
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger().bind(
            actor=runtime.service, trace=self.trace, session=session[:8]
        )

    @property
    def store(self) -> BlobStore:
        """The blob store itself, for those who own it: `cache`, and the gateway for its sessions."""
        return self._runtime.store

    def now(self) -> float:
        """Seconds of a clock that only moves forward."""
        return self._runtime.world.now()

    def unix_s(self) -> float:
        """Seconds of the computer's own clock, since 1970: for what people read, and for what outlives a process."""
        return self._runtime.world.unix_s()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await self._runtime.world.sleep(seconds)

    def new_id(self) -> str:
        """A name for something new: 32 hexadecimal digits that nobody can guess."""
        return self._runtime.world.new_id(self.trace)

    @property
    def remaining_s(self) -> float:
        """How long the caller will still wait."""
        return self._deadline - self.now()

    def on_behalf(self, session: str) -> "Context":
        """The same context, speaking for a session; only the gateway may."""
        return Context(self._runtime, session=session, cause=self._cause, deadline=self._deadline)

    async def call(
        self, message: Request[ReplyT, PartT], *, instance: str = "", timeout_s: float | None = None
    ) -> ReplyT:
        """Ask a service and wait for its reply; parts before it are dropped. Raises ScanbusError."""
        async with self.stream(message, instance=instance, timeout_s=timeout_s) as stream:
            return await stream.reply()

    def stream(
        self, message: Request[ReplyT, PartT], *, instance: str = "", timeout_s: float | None = None
    ) -> "Stream[ReplyT, PartT]":
        """Ask a service and take its parts as they come; leaving the block early cancels the request."""
        limit_s = message.timeout_s if timeout_s is None else timeout_s
        return Stream(self._runtime, self, message, instance, min(limit_s, self._deadline - self.now()))

    def part(self, message: Message) -> None:
        """Tell the caller something before the reply."""
        if self._cause is None:
            raise RuntimeError("a part answers a request; this context has none")
        self._runtime.write(Kind.PART, message, to=self._cause.sender, re=self._cause.id, ctx=self)

    def publish(self, event: Event) -> None:
        """Tell everybody that something has happened."""
        self._runtime.publish(event, self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something beside the handlers until the actor stops."""
        return self._runtime.spawn(work, self)

    async def offload(
        self, work: Callable[Arguments, ResultT], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> ResultT:
        """Run blocking work in a thread."""
        return await asyncio.to_thread(work, *args, **kwargs)

    async def put(self, data: bytes, media_type: str, *, durable: bool = True) -> Blob:
        """Keep bytes in this session's store. Raises StorageFull, StorageFailed or NotFound (no such session)."""
        return await self.offload(self.store.put, self.session, data, media_type, durable=durable)

    async def open(self, name: str) -> BinaryIO:
        """This session's blob of that name, to read. Raises NotFound or StorageFailed."""
        return await self.offload(self.store.open, self.session, name)

    async def read(self, blob: Blob) -> bytes:
        """All bytes of a blob of this session. Raises NotFound or StorageFailed."""
        return await self.offload(self.store.read, self.session, blob.name)


class Stream(Generic[ReplyT, PartT]):
    """One open request: iterate for its parts, then take `reply`."""

    def __init__(
        self, runtime: "Runtime", ctx: Context, message: Request[ReplyT, PartT], instance: str, timeout_s: float
    ) -> None:
        self._runtime = runtime
        self._ctx = ctx
        self._message = message
        self._instance = instance
        self._timeout_s = timeout_s
        self._letters: asyncio.Queue[Envelope] = asyncio.Queue()
        self._final: Message | None = None
        self._decoder: BodyDecoder = runtime.decoder(type(message))
        self._id = ""

    async def __aenter__(self) -> Self:
        self._id = self._runtime.ask(self._message, self._instance, self._timeout_s, self._ctx, self._letters)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._final is None:
                self.cancel()
                # The broker answers every cancelled request within its grace: what was below has ended then.
                await self._drain()
        finally:
            self._runtime.forget(self._id)

    async def __aiter__(self) -> AsyncIterator[PartT]:
        while self._final is None:
            message = await self._next()
            if message is not None:
                yield cast(PartT, message)

    async def reply(self) -> ReplyT:
        """The final reply. Raises ScanbusError where it is a failure."""
        await self._drain()
        if isinstance(self._final, Failure):
            raise from_failure(self._final)
        if self._final is None:
            raise Internal("A request ended without a reply.")
        return cast(ReplyT, self._final)

    def cancel(self) -> None:
        """Ask that the request be stopped; parts, then the final reply, still come."""
        self._runtime.cancel(self._id, self._ctx)

    async def _drain(self) -> None:
        while self._final is None:
            await self._next()

    async def _next(self) -> Message | None:
        letter = await self._letters.get()
        try:
            message = self._decoder.decode(letter.body)
        except Invalid as error:
            message = Internal(f"The answer cannot be read: {error.text}").failure()
            if letter.kind is Kind.PART:
                raise from_failure(message) from error
        if letter.kind is Kind.PART:
            return message
        self._final = message
        return None
