"""One actor alone: without it, a contract could not say at which of its steps something comes in between."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import structlog
from msgspec import Raw, Struct, field, msgpack

from bus.actor import Actor, answers
from bus.blobs import BlobStore
from bus.codec import BodyDecoder, decode, encode, encode_body
from bus.context import World
from bus.examples import example
from bus.port import Deliver, unique
from bus.runtime import DRAIN_GRACE_S, Runtime
from schemas.bus import Register, Registered
from schemas.envelope import Envelope, Kind
from schemas.errors import CODES, Canceled, Failure, Internal, Invalid, Unavailable, from_failure
from schemas.message import Event, Message, Request, tag_of

ReplyT = TypeVar("ReplyT", bound=Message)
WAIT_S = 10.0
"""Longer than anything takes that ends at all."""
TURNS = 3
"""Of the loop, until whoever was asked answers: what comes in between finds the question open."""


class Visit:
    """One session in which the actor is asked, and what the questions are made of."""

    def __init__(self, stage: "Rehearsal") -> None:
        self.store = stage.store
        self.session = secrets.token_hex(16)
        self.store.begin(self.session)
        self.specimens: dict[type | str, Any] = {}
        """What examples are made of, by type or by a field's name; in the answers of other services, too."""
        self._stage = stage

    def examples(self) -> list[Request[Any, Any]]:
        """Of each request that the actor takes one with the fields that it must have, and one with all."""
        kinds = [cast(type[Request[Any, Any]], kind) for kind in self._stage.actor.requests()]
        made = [example(kind, self.specimens, full=full) for kind in kinds for full in (False, True)]
        return [each for number, each in enumerate(made) if each not in made[:number]]

    async def ask(self, message: Request[ReplyT, Any]) -> ReplyT:
        """The actor's reply. Raises ScanbusError where it is a failure."""
        reply = await self._stage.ask(self, message)
        if isinstance(reply, Failure):
            raise from_failure(reply)
        return cast(ReplyT, reply)


class Question(Struct):
    """What the actor was asked, what it said to that, and what comes in between at which step."""

    kind: type[Message] | None
    moment: str
    """What happens, for complaints."""
    strike: Callable[[str], None]
    steps_left: int
    said: list[Envelope] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Rehearsal:
    """One life of an actor, `async with`, behind a port whose other end is played here.

    Whomever it asks answers with examples of what the request announces. Leaving the block ends the actor and raises
    AssertionError with a sentence for each promise that it broke.
    """

    def __init__(self, actor: Actor, store: BlobStore) -> None:
        self.name = unique("rehearsal")
        self.actor = actor
        self.store = store
        self._world = _Clock()
        self._complaints: list[str] = []
        self._deserted = self._closed = False
        self._visits: dict[str, Visit] = {}
        self._questions: dict[str, Question] = {}
        self._pending: dict[str, list[Message]] = {}
        """What others will answer to the actor's own requests, the reply last."""

    async def __aenter__(self) -> Self:
        self._log_steps = structlog.get_config()["processors"]
        self._log_steps.insert(0, self._overhear)
        self._before = asyncio.all_tasks()
        self._runtime = Runtime(self, self.actor, store=self.store, world=self._world)
        self._life = asyncio.create_task(self._runtime.run())
        ready = asyncio.create_task(self._runtime.ready())
        await asyncio.wait({ready, self._life}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        if self._life.done() or not ready.done():
            ready.cancel()
            self._complaints.append("It does not come to life.")
            await self.__aexit__(None, None, None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runtime.drain()
        await asyncio.wait({self._life}, timeout=WAIT_S)
        if not self._life.done():
            self._complaints.append(f"It does not stop when its grace is over, not even {WAIT_S:g} s later.")
            self._life.cancel()
        (end,) = await asyncio.gather(self._life, return_exceptions=True)
        if isinstance(end, Exception):
            self._complaints.append(f"It ended with {end!r}.")
        # What was told to end gets the turns that this takes.
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if left := asyncio.all_tasks() - self._before:
            self._complaints.append(f"It left tasks behind: {left}.")
        for question in self._questions.values():
            self._judge(question)
        self._log_steps.remove(self._overhear)
        if error is None and self._complaints:
            raise AssertionError("\n".join(f"{type(self.actor).__name__}: {each}" for each in self._complaints))

    def visit(self) -> Visit:
        """A new session."""
        visit = Visit(self)
        self._visits[visit.session] = visit
        return visit

    async def ask(
        self,
        visit: Visit,
        message: Request[Any, Any],
        interruption: "Callable[[Rehearsal, str], None] | None" = None,
        at_step: int = -1,
    ) -> Message | None:
        """The actor's reply, or None where it gives none; what interrupts, if anything, does so at a step of it.

        Steps are the awaits at which the handler waits, and the letters that it sends; 0 is before it began.
        """
        name = "" if interruption is None else f", {(interruption.__doc__ or '').partition('.')[0]} at step {at_step}"
        question = Question(type(message), f"{message}{name}", lambda key: None, at_step)
        if interruption is not None:
            question.strike = lambda key: interruption(self, key)
        return await self._hand_over(question, encode_body(message), visit, message.timeout_s)

    async def ask_raw(self, visit: Visit, body: Raw) -> Message | None:
        """The actor's reply to a body that may be anything."""
        return await self._hand_over(Question(None, str(bytes(body)), lambda key: None, -1), body, visit, WAIT_S)

    def tell(self, event: Event) -> None:
        """Something has happened."""
        self._deliver(Envelope(id=f"event.{tag_of(event)}", kind=Kind.EVENT, to=tag_of(event), body=encode_body(event)))

    def outlasted(self) -> bool:
        """Whether the last question was answered before its interruption."""
        return next(reversed(self._questions.values())).steps_left >= 0

    def cancel(self, key: str) -> None:
        """canceled."""
        self._deliver(Envelope(id=f"cancel.{key}", kind=Kind.CANCEL, re=key))

    def expire(self, key: str) -> None:
        """out of time."""
        kind = self._questions[key].kind
        self._world.now_s += getattr(kind, "timeout_s", 0.0)
        self.cancel(key)

    def leave(self, key: str) -> None:
        """with the actor told to stop."""
        self._runtime.drain()

    def desert(self, key: str) -> None:
        """with all that it asks gone."""
        self._deserted = True

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        """The port's part: the actor has come."""
        self._deliver = deliver

    def send(self, letter: Envelope) -> None:
        """The port's part: the actor says something."""
        letter = decode(encode(letter))
        if self._closed:
            self._complaints.append(f"It said something after it had left: {letter}.")
        match letter.kind:
            case Kind.REQUEST:
                self._pending[letter.id] = self._answers(letter)
                self._answer_later(TURNS, letter.id)
            case Kind.CANCEL if letter.re in self._pending:
                self._pending[letter.re] = [Canceled().failure()]
            case Kind.PART | Kind.REPLY if letter.re in self._questions:
                self._questions[letter.re].said.append(letter)
                if letter.kind is Kind.REPLY:
                    self._questions[letter.re].ended.set()
                    return
        self._step(letter.trace)

    async def close(self) -> None:
        """The port's part: the actor has gone."""
        self._closed = True

    async def _hand_over(self, question: Question, body: Raw, visit: Visit, ttl: float) -> Message | None:
        key = f"caller#.{len(self._questions)}"
        self._questions[key] = question
        self._deserted = False
        loop, step = asyncio.get_running_loop(), partial(self._step, key)
        # The task that the runtime makes for a request is the one whose steps count.
        loop.set_task_factory(cast(Any, lambda loop, work: asyncio.Task(_Stepped(work, step), loop=loop)))
        request = Envelope(id=key, kind=Kind.REQUEST, sender="caller#", session=visit.session, ttl=ttl, body=body)
        self._deliver(request)
        loop.set_task_factory(None)
        step()
        try:
            async with asyncio.timeout(WAIT_S):
                await question.ended.wait()
        except TimeoutError:
            self._complaints.append(f"{question.moment}: there is no reply within {WAIT_S:g} s.")
            return None
        return self._read(question, question.said[-1])

    def _step(self, key: str) -> None:
        question = self._questions.get(key)
        if question is None or question.ended.is_set():
            return
        question.steps_left -= 1
        if question.steps_left == -1:
            question.strike(key)

    def _answers(self, letter: Envelope) -> list[Message]:
        tag = msgpack.decode(letter.body)["type"]
        if tag == tag_of(Register):
            if not msgpack.decode(letter.body, type=Register).services:
                # It wants to leave: nobody has to wait for the end of its grace.
                self._world.now_s += DRAIN_GRACE_S
            return [Registered(broker="rehearsal")]
        if self._deserted:
            return [Unavailable().failure()]
        visit = self._visits.get(letter.session)
        specimens = visit.specimens if visit is not None else {}
        reply, parts = answers(next(kind for kind in _below(Request) if tag_of(kind) == tag))
        return [example(kind, specimens) for kind in (*parts, reply)]

    def _answer_later(self, turns: int, key: str) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._answer_later, turns - 1, key)
            return
        *parts, reply = self._pending.pop(key)
        for kind, message in (*((Kind.PART, part) for part in parts), (Kind.REPLY, reply)):
            if not self._closed:
                self._deliver(Envelope(id="answer", kind=kind, re=key, body=encode_body(message)))

    def _judge(self, question: Question) -> None:
        """Complain unless parts, then one reply were said, each of a type that the request announces."""
        kinds = [letter.kind for letter in question.said]
        if kinds.count(Kind.REPLY) != 1 or kinds[-1] is not Kind.REPLY:
            words = ", ".join(kinds) or "nothing"
            self._complaints.append(f"{question.moment}: parts, then one reply were due; it said {words}.")
        for letter in question.said:
            message = self._read(question, letter)
            if message is None:
                self._complaints.append(f"{question.moment}: this {letter.kind} was never announced.")
            elif isinstance(message, Failure) and (message.code not in CODES or message.code == Internal.code):
                self._complaints.append(f"{question.moment}: it answers {message.code!r}; its log may say why.")

    def _read(self, question: Question, letter: Envelope) -> Message | None:
        """The message, unless it is of no type that was announced."""
        reply, parts = answers(question.kind) if question.kind is not None else (Failure, ())
        kinds = parts if letter.kind is Kind.PART else (reply, Failure)
        try:
            return BodyDecoder(tuple(dict.fromkeys(kinds)) or (Failure,)).decode(letter.body)
        except Invalid:
            return None

    def _overhear(self, logger: object, method: str, event: Any) -> Any:
        if method in ("error", "critical"):
            last = next(reversed(self._questions.values()), None)
            self._complaints.append(f"{last.moment if last else 'start'}: it logs an error: {event['event']}.")
        return event


class _Clock(World):
    """A world in which time jumps when somebody says so."""

    now_s = 1000.0

    def now(self) -> float:
        return self.now_s


class _Stepped(Coroutine[Any, Any, None]):
    """Work that tells of every await at which it waits."""

    def __init__(self, work: Coroutine[Any, Any, None], step: Callable[[], None]) -> None:
        self._work = work
        self._step = step

    def send(self, value: Any) -> Any:
        waits_for = self._work.send(value)
        self._step()
        return waits_for

    def throw(self, *error: Any) -> Any:
        waits_for = self._work.throw(*error)
        self._step()
        return waits_for

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._work.__await__()


def _below(kind: type[Message]) -> list[type[Message]]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]
