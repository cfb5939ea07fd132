"""A replay is the bus, the clock and the source of ids for one actor."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Never

import pytest
from msgspec.structs import replace

from bus import Actor, Context, on
from bus.codec import encode_body
from bus.recorded import lives, services
from bus.replay import replay_actor
from bus.trace import HIDDEN, Header, Line, Trace
from schemas.bus import Register
from schemas.config import Config
from schemas.envelope import NO_BODY, Envelope, Kind
from schemas.errors import DeadlineExceeded, Lost, ScanbusError
from schemas.message import Blob, Event, Message, Request

CALLER, FIRST, SECOND = "caller#0000000a", "clerk#0000000b", "clerk#0000000c"
SESSION, NAME, BLOB = "5" * 32, "1" * 32, "b" * 32


class Written(Message, tag="clerk.written"):
    name: str
    at_s: float = 0.0
    notes: int = 0
    text: str = ""


class Write(Request[Written, Never], tag="clerk.write"):
    """Takes five seconds."""


class Copy(Request[Written, Never], tag="clerk.copy"):
    blob: Blob


class Noted(Event, tag="clerk.noted"):
    name: str


class Clerk(Actor):
    service = "clerk"
    slots: ClassVar[int] = 1

    async def start(self, ctx: Context) -> None:
        self.notes = 0

    @on(Write)
    async def write(self, msg: Write, ctx: Context) -> Written:
        name = ctx.new_id()
        await ctx.sleep(5)
        ctx.publish(Noted(name=name))
        return Written(name=name, at_s=float(ctx.now()))

    @on(Copy)
    async def copy(self, msg: Copy, ctx: Context) -> Written:
        return Written(name=BLOB, notes=self.notes, text=(await ctx.read(msg.blob)).decode())

    @on(Noted)
    async def noted(self, msg: Noted, ctx: Context) -> None:
        self.notes += 1


def asks(t: float, number: int, message: Message) -> Line:
    key = f"{CALLER}.{number}"
    return Line(
        t,
        Envelope(
            id=key,
            kind=Kind.REQUEST,
            to="clerk",
            sender=CALLER,
            trace=key,
            session=SESSION,
            ttl=9,
            body=encode_body(message),
        ),
    )


def says(t: float, number: int, message: Message, cause: int, port: str = FIRST) -> Line:
    """What the clerk replies, or publishes."""
    key = f"{CALLER}.{cause}"
    event = isinstance(message, Event)
    return Line(
        t,
        Envelope(
            id=f"{port}.{number}",
            kind=Kind.EVENT if event else Kind.REPLY,
            to="clerk.noted" if event else CALLER,
            sender=port,
            re="" if event else key,
            trace=key,
            session=SESSION,
            body=encode_body(message),
        ),
    )


def broker(t: float, number: int, kind: Kind, cause: int, error: ScanbusError | None = None) -> Line:
    body = NO_BODY if error is None else encode_body(error.failure())
    return Line(t, Envelope(id=f"broker-0000000d.{number}", kind=kind, sender="bus", re=f"{CALLER}.{cause}", body=body))


WRITES = [asks(1, 1, Write()), says(6.1, 1, Noted(name=NAME), 1), says(6.2, 2, Written(name=NAME, at_s=6.0), 1)]


@pytest.fixture
def differs(tmp_path: Path) -> Callable[..., list[str]]:
    """What an actor says otherwise than in these lines, each difference's first line."""

    def play(
        *lines: Line, kind: type[Actor] = Clerk, private: dict[str, list[tuple[str, ...]]] | None = None
    ) -> list[str]:
        trace = Trace(header=Header(trace=1), lines=list(lines))
        playing = replay_actor(
            trace,
            "clerk",
            lambda: kind(Config()),
            tmp_path / "blobs",
            tmp_path / "state",
            private=private,
            patience_s=0.5,
        )
        return [str(each).splitlines()[0] for each in asyncio.run(playing)]

    return play


def test_ids_and_the_time_are_those_of_the_trace(differs: Callable[..., list[str]]) -> None:
    assert differs(*WRITES) == []
    other = replace(WRITES[2], letter=replace(WRITES[2].letter, body=encode_body(Written(name=NAME, at_s=6.2))))
    assert differs(*WRITES[:2], other) == [f"changed: reply clerk.written after {CALLER}.1"]


def test_a_request_waits_for_a_free_slot_and_is_never_seen_if_the_broker_gives_it_up(
    differs: Callable[..., list[str]],
) -> None:
    given_up = [asks(2, 2, Write()), broker(3, 1, Kind.REPLY, 2, DeadlineExceeded())]
    later = [
        asks(4, 3, Write()),
        says(11.3, 3, Noted(name="3" * 32), 3),
        says(11.4, 4, Written(name="3" * 32, at_s=11.2), 3),
    ]
    assert differs(WRITES[0], *given_up, later[0], *WRITES[1:], *later[1:]) == []


def test_a_cancel_reaches_the_actor_and_its_last_word_is_compared(differs: Callable[..., list[str]]) -> None:
    failure = Envelope(
        id=f"{FIRST}.1",
        kind=Kind.REPLY,
        to=CALLER,
        sender=FIRST,
        re=f"{CALLER}.1",
        trace=f"{CALLER}.1",
        session=SESSION,
        body=encode_body(Written(name=NAME)),
    )
    said = differs(WRITES[0], broker(2, 1, Kind.CANCEL, 1), Line(2.1, failure))
    assert said == [f"missing: reply clerk.written after {CALLER}.1", f"added: reply bus.failure after {CALLER}.1"]


def test_an_actor_hears_its_own_events(differs: Callable[..., list[str]]) -> None:
    copy = asks(7, 2, Copy(blob=Blob(name=BLOB, size=2, media_type="text/plain")))
    assert differs(*WRITES, copy, says(7.1, 3, Written(name=BLOB, notes=1), 2)) == []


def test_recorded_blobs_can_be_read_and_what_is_private_stays_hidden(
    differs: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / BLOB).write_bytes(b"secret")
    copy = asks(1, 1, Copy(blob=Blob(name=BLOB, size=6, media_type="text/plain")))
    reply = says(1.1, 1, Written(name=BLOB, text=HIDDEN), 1)
    assert differs(copy, reply, private={"clerk.written": [("text",)]}) == []
    assert differs(copy, reply) == [f"changed: reply clerk.written after {CALLER}.1"]


def test_a_process_that_was_lost_is_played_until_then_and_the_next_one_after_it(
    differs: Callable[..., list[str]],
) -> None:
    lost = [asks(1, 1, Write()), says(6.1, 1, Noted(name=NAME), 1), broker(7, 1, Kind.REPLY, 1, Lost())]
    again = [asks(8, 2, Write()), says(13, 1, Noted(name="2" * 32), 2, SECOND)]
    again.append(says(13.1, 2, Written(name="2" * 32, at_s=13.0), 2, SECOND))
    register = Envelope(
        id=f"{FIRST}.9", kind=Kind.REQUEST, to="bus", sender=FIRST, body=encode_body(Register(services=["clerk"]))
    )
    lines = [Line(0, register), *lost, *again]
    trace = Trace(header=Header(trace=1), lines=lines)
    assert lives(trace, "clerk") == [FIRST, SECOND]
    assert services(trace) == ["clerk"]

    class Dying(Clerk):
        """Hangs where the first one died; a second one works."""

        @on(Write)
        async def write(self, msg: Write, ctx: Context) -> Written:
            written = await super().write(msg, ctx)
            if ctx.trace == f"{CALLER}.1":
                await asyncio.Event().wait()
            return written

    assert differs(*lines, kind=Dying) == []


def test_what_was_asked_before_the_trace_began_is_not_expected(differs: Callable[..., list[str]]) -> None:
    assert differs(says(0.5, 7, Written(name=NAME), 9), *WRITES) == []


def test_an_actor_that_falls_silent_ends_the_play(differs: Callable[..., list[str]]) -> None:
    class Silent(Clerk):
        @on(Write)
        async def write(self, msg: Write, ctx: Context) -> Written:
            await ctx.sleep(3600)
            return Written(name=NAME)

    assert differs(*WRITES, kind=Silent) == [f"missing: event clerk.noted after {CALLER}.1"]


def test_an_actor_that_cannot_start_says_why(differs: Callable[..., list[str]]) -> None:
    class Broken(Clerk):
        async def start(self, ctx: Context) -> None:
            raise Lost("There is no ink.")

    with pytest.raises(ScanbusError, match="no ink"):
        differs(*WRITES, kind=Broken)
