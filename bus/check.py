"""The contracts of a port and of an actor as suites: without them, "any actor will do" would be a hope."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from msgspec import Raw, ValidationError, msgpack

from bus.actor import Actor
from bus.blobs import BlobStore
from bus.codec import LETTER_LIMIT_BYTES, encode, encode_body
from bus.examples import example
from bus.port import Port
from bus.rehearsal import WAIT_S, Rehearsal, Visit
from schemas.bus import Register
from schemas.envelope import Envelope, Kind
from schemas.errors import Failure, Invalid, TooLarge
from schemas.message import Event, Request

MANY = 100
"""Letters in a row: more than any transport hands over at once."""
TOPIC, UNHEARD = "check.happened", "check.unheard"
STEPS = 200
"""A request that takes more steps is interrupted at the first of them only."""
INTERRUPTIONS = (Rehearsal.cancel, Rehearsal.expire, Rehearsal.desert, Rehearsal.leave)
Requests = Callable[[Visit], Awaitable[Sequence[Request[Any, Any]]]]


async def examples(visit: Visit) -> Sequence[Request[Any, Any]]:
    """Requests that know no id of anything that there is."""
    return visit.examples()


async def check_port(make: Callable[[str], Port]) -> None:
    """Hold a port to what a runtime relies on; `make` gives ports, not open yet, to one living broker.

    Raises AssertionError with a sentence for the first promise that is broken.
    """
    await _has_a_name_of_its_own(make)
    async with AsyncExitStack() as opened:

        async def end(name: str, *topics: str) -> _End:
            made = _End(make(name))
            opened.push_async_callback(made.close)
            async with asyncio.timeout(WAIT_S):
                await made.port.open(topics, made.heard.put_nowait)
            return made

        await _keeps_order(end)
        await _limits_letters(end)
        await _hears_events_from_its_opening_on(end)
        await _says_all_that_was_sent_before_it_closes(end)
        await _hears_nothing_once_it_is_closed(end)


async def check_actor(make: Callable[[], Actor], store: BlobStore, requests: Requests = examples) -> None:
    """Hold an actor to what its callers rely on, whatever comes in between at whichever step.

    `make` gives a new actor, each with the same state, in `store`. `requests` says what to ask it in a new session;
    it may ask on its own before, to learn of ids. A failure is a fine reply, unless it is `internal`. Raises
    AssertionError with a sentence for each promise that is broken.
    """
    async with Rehearsal(make(), store) as stage:
        await _refuses_what_it_does_not_know(stage)
        for kind in stage.actor.events():
            if issubclass(kind, Event):
                stage.tell(example(kind, {}))
        asked = len(await requests(stage.visit()))
    for index in range(asked):
        await _says_the_same_when_asked_twice(make, store, requests, index)
        for interruption in INTERRUPTIONS:
            for step in range(STEPS):
                async with Rehearsal(make(), store) as stage:
                    visit = stage.visit()
                    await stage.ask(visit, (await requests(visit))[index], interruption, step)
                    outlasted = stage.outlasted()
                    if interruption != Rehearsal.leave:
                        again = stage.visit()
                        await stage.ask(again, (await requests(again))[index])
                if outlasted:
                    break


class _End:
    """An open port, and what it has heard."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.heard: asyncio.Queue[Envelope] = asyncio.Queue()
        self._sent = 0
        self._closed = False

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self.port.close()

    def say(self, kind: Kind, to: str, re: str = "", body: object = None) -> Envelope:
        self._sent += 1
        key = f"{self.port.name}.{self._sent}"
        ttl = WAIT_S if kind is Kind.REQUEST else 0.0
        raw = Raw(msgpack.encode(body))
        letter = Envelope(
            id=key, kind=kind, to=to, sender=self.port.name, re=re, trace=key, session="s", ttl=ttl, body=raw
        )
        self.port.send(letter)
        return letter

    async def hears(self, expected: list[Envelope], what: str) -> None:
        """Raises AssertionError unless just these letters come next; how long their senders still wait may change."""
        for letter in expected:
            try:
                async with asyncio.timeout(WAIT_S):
                    heard = await self.heard.get()
            except TimeoutError as error:
                raise AssertionError(f"{what}: {letter.id} of {len(expected)} letters did not come.") from error
            for field in ("id", "kind", "to", "sender", "re", "trace", "session"):
                same = getattr(letter, field) == getattr(heard, field)
                _claim(same, f"{what}: {letter.id} was due and {heard.id} came, or its {field!r} changed.")
            _claim(bytes(letter.body) == bytes(heard.body), f"{what}: the body of {letter.id} changed.")


Open = Callable[..., Awaitable[_End]]


async def _has_a_name_of_its_own(make: Callable[[str], Port]) -> None:
    ports = [make("twin"), make("twin")]
    _claim(ports[0].name != ports[1].name, f"Two ports have one name: {ports[0].name!r}.")
    for port in ports:
        _claim(port.name.startswith("twin#"), f"The name {port.name!r} does not begin with its process, `twin#`.")
        await port.close()


async def _keeps_order(end: Open) -> None:
    asker, worker = await end("asker"), await end("worker")
    service = f"check-{secrets.token_hex(4)}"
    asked = worker.say(Kind.REQUEST, "bus", body=_builtin(Register(services=[service], slots=MANY)))
    async with asyncio.timeout(WAIT_S):
        answer = await worker.heard.get()
    _claim((answer.kind, answer.re) == (Kind.REPLY, asked.id), f"The broker's answer to {asked} is {answer}.")
    questions = [asker.say(Kind.REQUEST, service, body={"number": number}) for number in range(MANY)]
    _claim(worker.heard.empty(), "A letter is delivered while it is being sent, not in a turn of its own.")
    await worker.hears(questions, "Requests in order")
    answers = [
        worker.say(kind, asker.port.name, re=question.id, body={"text": "\u00fc"})
        for question in questions
        for kind in (Kind.PART, Kind.PART, Kind.REPLY)
    ]
    await asker.hears(answers, "Parts and replies in order")
    _claim(worker.heard.empty(), "A port hears what it said itself.")


async def _limits_letters(end: Open) -> None:
    speaker, listener = await end("speaker"), await end("listener", TOPIC)
    small = len(encode(speaker.say(Kind.EVENT, UNHEARD, body=bytes(1 << 17))))
    # The ids of these letters have as many digits.
    room = LETTER_LIMIT_BYTES - small + (1 << 17)
    _claim(not _takes(speaker, bytes(LETTER_LIMIT_BYTES)), "A letter that is too long does not raise TooLarge.")
    _claim(_takes(speaker, bytes(room)), f"A letter of {LETTER_LIMIT_BYTES} bytes is not taken.")
    await listener.hears([speaker.say(Kind.EVENT, TOPIC)], "The letter after one that was too long")


def _takes(speaker: _End, body: bytes) -> bool:
    try:
        speaker.say(Kind.EVENT, UNHEARD, body=body)
    except TooLarge:
        return False
    return True


async def _hears_events_from_its_opening_on(end: Open) -> None:
    speaker = await end("speaker")
    for _ in range(10):
        listener = await end("listener", TOPIC)
        speaker.say(Kind.EVENT, f"{TOPIC}_elsewhere")
        happened = speaker.say(Kind.EVENT, TOPIC)
        await listener.hears([happened], "The first event after the port was opened, and no other topic's")


async def _says_all_that_was_sent_before_it_closes(end: Open) -> None:
    listener, hasty = await end("listener", TOPIC), await end("hasty")
    last_words = [hasty.say(Kind.EVENT, TOPIC, body=number) for number in range(MANY)]
    await hasty.close()
    await listener.hears(last_words, "What was sent just before the port was closed")


async def _hears_nothing_once_it_is_closed(end: Open) -> None:
    speaker, listener, leaver = await end("speaker"), await end("listener", TOPIC), await end("leaver", TOPIC)
    said = [speaker.say(Kind.EVENT, TOPIC, body=number) for number in range(MANY)]
    await leaver.close()
    heard = leaver.heard.qsize()
    await listener.hears(said, "Events that others hear while a port is closed")
    _claim(leaver.heard.qsize() == heard, "A letter was delivered after the port was closed.")


def _builtin(message: Register) -> Any:
    return msgpack.decode(encode_body(message))


def _claim(held: bool, sentence: str) -> None:
    if not held:
        raise AssertionError(sentence)


async def _refuses_what_it_does_not_know(stage: Rehearsal) -> None:
    visit = stage.visit()
    bodies: list[object] = [None, 1, [], {}, {"type": 1}, {"type": f"{stage.actor.service}.no_such_message"}]
    for kind in stage.actor.requests():
        fields = msgpack.decode(encode_body(example(kind, {}, full=True)))
        spoiled = ({**fields, name: value} for name in fields for value in (b"?", -1, None))
        bodies += [body for body in spoiled if not _legal(body, kind)]
    for body in bodies:
        reply = await stage.ask_raw(visit, Raw(msgpack.encode(body)))
        refused = isinstance(reply, Failure) and reply.code == Invalid.code
        _claim(refused, f"{type(stage.actor).__name__}: {body} is answered with {reply}, not with `invalid`.")


async def _says_the_same_when_asked_twice(
    make: Callable[[], Actor], store: BlobStore, requests: Requests, index: int
) -> None:
    async with Rehearsal(make(), store) as stage:
        visit = stage.visit()
        message = (await requests(visit))[index]
        if message.idempotent:
            first, second = await stage.ask(visit, message), await stage.ask(visit, message)
            same = type(first) is type(second) and getattr(first, "code", "") == getattr(second, "code", "")
            _claim(same, f"{message} may be tried twice, and is answered with {first}, then with {second}.")


def _legal(body: object, kind: type[Any]) -> bool:
    try:
        return msgpack.decode(msgpack.encode(body), type=kind) is not None
    except ValidationError:
        return False
