"""Runs one actor behind one port: letters become handler calls, and every handler's end becomes one reply."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from bus import memory
from bus.actor import Actor, answers
from bus.blobs import BlobStore
from bus.codec import BodyDecoder, encode_body
from bus.context import Context, World
from bus.port import Port
from schemas.bus import Register, Registered
from schemas.envelope import Envelope, Kind
from schemas.errors import (
    Canceled,
    DeadlineExceeded,
    Denied,
    Failure,
    Internal,
    Invalid,
    Lost,
    ScanbusError,
    Unavailable,
)
from schemas.message import Event, Message, Request, service_of, tag_of

HEARTBEAT_S = 1.0
DRAIN_GRACE_S = 3.0
"""How long handlers may go on once the runtime shall stop."""
LATE_S = 15.0
"""How much longer than its time limit a request waits for the broker's word before it gives up by itself."""

log = structlog.get_logger()


class Runtime:
    """One actor, alive on the bus from `run` until `drain`, or until it was idle for `idle_s`."""

    def __init__(
        self,
        port: Port,
        actor: Actor,
        *,
        store: BlobStore,
        idle_s: float = 0.0,
        world: World | None = None,
    ) -> None:
        self.service = f"{actor.service}/{actor.instance}" if actor.instance else actor.service
        self.store = store
        self.world = world or World()
        self._port = port
        self._actor = actor
        self._idle_s = idle_s
        self._requests = {tag_of(kind): (kind, name) for kind, name in actor.requests().items()}
        self._events = {tag_of(kind): (kind, name) for kind, name in actor.events().items()}
        self._taken = BodyDecoder((*actor.requests(), Register))
        self._heard = BodyDecoder((*actor.events(), Registered))
        self._decoders: dict[type[Message], BodyDecoder] = {}
        self._counter = 0
        self._open: dict[str, tuple[asyncio.Queue[Envelope], asyncio.TimerHandle | None]] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._spawned: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Event()
        self._failure: ScanbusError | None = None
        self._registered = asyncio.Event()
        self._broker = ""
        self._last_work = self.world.now()

    async def run(self) -> None:
        """Serve until drained. Raises ScanbusError where it cannot start, may not serve, or has no memory left."""
        await self._port.open(list(self._events), self._deliver)
        root = Context(self)
        try:
            await self._start(root)
            beat = self.spawn(self._beat(root), root)
            await self._draining.wait()
            beat.cancel()
            await self._leave(root)
        finally:
            for task in (*self._working.values(), *self._spawned):
                task.cancel()
            await asyncio.gather(*self._working.values(), *self._spawned, return_exceptions=True)
            await self._guard(self._actor.stop(), root)
            await self._port.close()
        if self._failure is not None:
            raise self._failure

    async def ready(self) -> None:
        """Wait until the broker gives letters to the actor."""
        await self._registered.wait()

    def drain(self) -> None:
        """Take no new work, finish what is under way, stop."""
        self._draining.set()

    def write(self, kind: Kind, message: Message | None, *, to: str, re: str, ctx: Context, ttl: float = 0.0) -> str:
        """Send one letter; gives its id. Raises TooLarge."""
        self._counter += 1
        key = f"{self._port.name}.{self._counter}"
        body = {} if message is None else {"body": encode_body(message)}
        tries = 2 if isinstance(message, Request) and message.idempotent else 1
        self._port.send(
            Envelope(
                id=key,
                kind=kind,
                to=to,
                sender=self._port.name,
                re=re,
                trace=ctx.trace or (re if kind is Kind.CANCEL else key),
                session=ctx.session,
                ttl=ttl,
                tries=tries,
                **body,
            )
        )
        return key

    def publish(self, event: Event, ctx: Context) -> None:
        """Hand an event to the broker."""
        self.write(Kind.EVENT, event, to=tag_of(event), re="", ctx=ctx)

    def ask(
        self,
        message: Request[Any, Any],
        instance: str,
        timeout_s: float,
        ctx: Context,
        letters: asyncio.Queue[Envelope],
    ) -> str:
        """Send a request whose answers go to `letters`; gives its id. Raises DeadlineExceeded, TooLarge."""
        if timeout_s <= 0:
            raise DeadlineExceeded()
        service = service_of(message)
        to = f"{service}/{instance}" if instance else service
        cause = ctx._cause.id if ctx._cause is not None else ""
        key = self.write(Kind.REQUEST, message, to=to, re=cause, ctx=ctx, ttl=timeout_s)
        late = asyncio.get_running_loop().call_later(
            timeout_s + LATE_S, self._settle, key, DeadlineExceeded().failure()
        )
        self._open[key] = (letters, late)
        return key

    def cancel(self, key: str, ctx: Context) -> None:
        """Ask that a request of ours be stopped; its final reply still comes."""
        if key in self._open:
            self.write(Kind.CANCEL, None, to="", re=key, ctx=ctx)

    def forget(self, key: str) -> None:
        """A request of ours is over."""
        _, late = self._open.pop(key, (None, None))
        if late is not None:
            late.cancel()

    def decoder(self, kind: type[Message]) -> BodyDecoder:
        """What reads the answers to such a request."""
        if kind not in self._decoders:
            reply, parts = answers(kind)
            self._decoders[kind] = BodyDecoder(tuple({reply: 0, **dict.fromkeys(parts, 0), Failure: 0}))
        return self._decoders[kind]

    def spawn(self, work: Coroutine[Any, Any, None], ctx: Context) -> "asyncio.Task[None]":
        """Run background work; what it raises is logged."""
        task = asyncio.create_task(self._guard(work, ctx))
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        # Canceled before its first step, the task would leave the work behind, never awaited.
        task.add_done_callback(lambda _: work.close())
        return task

    def _deliver(self, letter: Envelope) -> None:
        match letter.kind:
            case Kind.REQUEST:
                self._last_work = self.world.now()
                self._working[letter.id] = asyncio.create_task(self._work(letter))
            case Kind.CANCEL if letter.re in self._working:
                # Not before its first step: the task would end without a reply.
                asyncio.get_running_loop().call_soon(self._working[letter.re].cancel)
            case Kind.PART | Kind.REPLY if letter.re in self._open:
                self._open[letter.re][0].put_nowait(letter)
            case Kind.EVENT if letter.to in self._events:
                ctx = Context(self, session=letter.session, cause=letter)
                self.spawn(self._hear(letter, ctx), ctx)

    async def _work(self, letter: Envelope) -> None:
        ctx = Context(self, session=letter.session, cause=letter, deadline=self.world.now() + letter.ttl)
        try:
            reply = await self._handle(letter, ctx)
        except asyncio.CancelledError:
            reply = Canceled().failure()
        finally:
            self._last_work = self.world.now()
            del self._working[letter.id]
        try:
            self.write(Kind.REPLY, reply, to=letter.sender, re=letter.id, ctx=ctx)
        except ScanbusError as error:
            self.write(Kind.REPLY, error.failure(), to=letter.sender, re=letter.id, ctx=ctx)

    async def _handle(self, letter: Envelope, ctx: Context) -> Message:
        try:
            message = self._taken.decode(letter.body)
            if type(message) not in self._actor.requests():
                raise Invalid(f"{self._actor.service} does not take {tag_of(message)}.")
            _, name = self._requests[tag_of(message)]
            reply: Message = await getattr(self._actor, name)(message, ctx)
        except ScanbusError as error:
            ctx.log.info("request failed", code=error.code, reason=error.text)
            return error.failure()
        except MemoryError:
            memory.open_reserve()
            ctx.log.exception("out of memory")
            # What leaked stays: only a new process has it back.
            self._fail(Internal("It ran out of memory (`memory_limit_mb` is its limit)."))
            return Internal("There was not enough memory for it. Try again with less at once.").failure()
        except Exception:
            ctx.log.exception("handler failed")
            return Internal().failure()
        return reply

    async def _start(self, root: Context) -> None:
        try:
            await self._actor.start(root)
        except ScanbusError:
            raise
        except Exception as error:
            root.log.exception("start failed")
            raise Unavailable(f"The actor {self.service!r} cannot start: {type(error).__name__}: {error}.") from error

    def _fail(self, error: ScanbusError) -> None:
        self._failure = self._failure or error
        self.drain()

    async def _hear(self, letter: Envelope, ctx: Context) -> None:
        message = self._heard.decode(letter.body)
        await getattr(self._actor, self._events[letter.to][1])(message, ctx)

    async def _guard(self, work: Coroutine[Any, Any, None], ctx: Context) -> None:
        try:
            await work
        except ScanbusError as error:
            ctx.log.warning("background work failed", code=error.code, reason=error.text)
        except Exception:
            ctx.log.exception("background work failed")

    async def _beat(self, root: Context) -> None:
        while True:
            self.spawn(self._register([self.service], root), root)
            await asyncio.sleep(HEARTBEAT_S)
            idle = not self._working and self.world.now() - self._last_work >= self._idle_s
            if self._idle_s and idle and self._registered.is_set():
                self.drain()
                return

    async def _register(self, services: list[str], root: Context) -> None:
        working, asked = list(self._working.values()), list(self._open)
        # No longer than until the next beat: a broker that restarts must not find a heap of old ones.
        try:
            told = await root.call(Register(services=services, slots=self._actor.slots), timeout_s=HEARTBEAT_S)
        except Denied as error:
            self._fail(error)
            return
        except ScanbusError as error:
            root.log.debug("not registered", code=error.code)
            return
        if self._broker not in ("", told.broker):
            self._start_over(working, asked)
        self._broker = told.broker
        self._registered.set()

    def _start_over(self, working: "list[asyncio.Task[None]]", asked: list[str]) -> None:
        """The broker was restarted: those who asked us are gone, and nobody knows what we asked.

        What came since we registered came from the new one.
        """
        log.warning("broker restarted", actor=self.service)
        for task in working:
            task.cancel()
        for key in asked:
            self._settle(key, Lost().failure())

    def _settle(self, key: str, failure: Failure) -> None:
        if key in self._open:
            self._open[key][0].put_nowait(Envelope(id="", kind=Kind.REPLY, re=key, body=encode_body(failure)))

    async def _leave(self, root: Context) -> None:
        # After the broker's answer no new request is on its way; until the last reply we still give signs of life.
        until = self.world.now() + DRAIN_GRACE_S
        await self._register([], root)
        while self._working and self.world.now() < until:
            await asyncio.wait(self._working.values(), timeout=min(HEARTBEAT_S, until - self.world.now()))
            await self._register([], root)
