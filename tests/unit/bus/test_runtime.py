"""What an actor and its callers can rely on."""

import asyncio
from collections.abc import Callable

import pytest

from bus.codec import LETTER_LIMIT_BYTES, BodyDecoder
from schemas.bus import Register
from schemas.envelope import Envelope, Kind
from schemas.errors import Canceled, DeadlineExceeded, Internal, Invalid, NotFound, PaperJam, TooLarge
from schemas.message import Request
from tests.unit.bus.conftest import Story
from tests.unit.bus.echo import Asker, Bus, Echo, Fail, Heard, Nest, Note, Said, Say, Wait

Play = Callable[[Story], None]


def test_a_call_is_answered_on_behalf_of_its_session(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        assert await asker.ctx.on_behalf("alice").call(Say(text="hello")) == Said(text="hello alice")

    play(story)


def test_parts_come_in_order_and_before_the_reply(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        async with asker.ctx.stream(Say(text="x", notes=50)) as stream:
            notes = [part.number async for part in stream]
            assert notes == list(range(50))
            assert (await stream.reply()).text == "x"

    play(story)


def test_a_call_drops_parts(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        assert await asker.ctx.call(Say(text="x", notes=3)) == Said(text="x")

    play(story)


def test_what_a_handler_raises_arrives_as_the_same_error(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        with pytest.raises(PaperJam) as caught:
            await asker.ctx.call(Fail())
        assert (caught.value.text, caught.value.data) == ("Page 3 is stuck.", {"page": "3"})

    play(story)


def test_a_mistake_in_a_handler_is_internal_tells_nothing_and_the_actor_lives(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        with pytest.raises(Internal) as caught:
            await asker.ctx.call(Fail(unexpected=True))
        assert "secret" not in caught.value.text
        assert await asker.ctx.call(Say(text="still here")) == Said(text="still here")

    play(story)


def test_leaving_a_stream_stops_the_handler(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        async with asker.ctx.stream(Wait()):
            await echo.waiting.wait()
        assert echo.stopped.is_set()

    play(story)


def test_a_canceled_stream_still_gets_its_final_reply(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        async with asker.ctx.stream(Wait()) as stream:
            await echo.waiting.wait()
            stream.cancel()
            with pytest.raises(Canceled):
                await stream.reply()

    play(story)


def test_canceling_the_caller_cancels_what_it_had_open(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        call = asyncio.create_task(asker.ctx.call(Nest()))
        await echo.waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert echo.stopped.is_set()

    play(story)


def test_a_deadline_ends_the_call_and_the_handler(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        with pytest.raises(DeadlineExceeded):
            await asker.ctx.call(Wait(), timeout_s=0.3)
        await echo.stopped.wait()

    play(story)


def test_a_nested_call_inherits_what_is_left_of_the_deadline(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        with pytest.raises(DeadlineExceeded):
            await asker.ctx.call(Nest(), timeout_s=0.5)
        assert 0 < echo.ttls[0] <= 0.5

    play(story)


def test_a_caller_without_time_does_not_even_ask(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        with pytest.raises(DeadlineExceeded):
            await asker.ctx.call(Say(text="x"), timeout_s=0.0)

    play(story)


def test_an_event_reaches_those_who_listen(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        asker.ctx.publish(Heard(text="from a context"))
        assert await asker.heard.get() == "from a context"
        await asker.ctx.call(Say(text="from a handler"))
        assert await asker.heard.get() == "from a handler"

    play(story)


def test_a_reply_that_is_too_long_is_told_to_the_caller(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        with pytest.raises(TooLarge):
            await asker.ctx.on_behalf("y" * 600).call(Say(text="x" * (LETTER_LIMIT_BYTES - 1000)))

    play(story)


class Unknown(Request[Said, Note], tag="echo.unknown"):
    pass


class Nobody(Request[Said, Note], tag="nobody.say"):
    pass


class Wrong(Request[Said, Note], tag="echo.say"):
    text: int


@pytest.mark.parametrize(("message", "error"), [(Unknown(), Invalid), (Nobody(), NotFound), (Wrong(text=3), Invalid)])
def test_what_nobody_understands_is_refused(play: Play, message: Request[Said, Note], error: type[Exception]) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        with pytest.raises(error):
            await asker.ctx.call(message)

    play(story)


def test_work_goes_on_with_another_worker_when_one_is_lost(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        runtime, task = bus.running.pop(0)
        other = Echo(bus.config)
        await bus.add(other)
        runtime.drain()
        await task
        assert await asker.ctx.call(Say(text="x")) == Said(text="x")

    play(story)


def test_an_idle_actor_leaves_by_itself_and_is_wanted_again_when_asked(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        runtime, task = bus.running.pop(0)
        runtime.drain()
        await task
        await bus.add(Echo(bus.config), idle_s=0.1)
        _, task = bus.running.pop()
        await task
        call = asyncio.create_task(asker.ctx.call(Say(text="x"), timeout_s=5.0))
        assert await bus.wanted_next() == "echo"
        await bus.add(Echo(bus.config))
        assert await call == Said(text="x")

    play(story)


def test_an_idle_actor_that_leaves_does_not_register_again(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        told: list[list[str]] = []

        def watch(now: float, letter: Envelope, data: bytes) -> None:
            if letter.kind is Kind.REQUEST and letter.sender.startswith("echo#"):
                message = BodyDecoder((Register,)).decode(letter.body)
                assert isinstance(message, Register)
                told.append(message.services)

        runtime, task = bus.running.pop(0)
        runtime.drain()
        await task
        bus.broker.watchers.append(watch)
        await bus.add(Echo(bus.config), idle_s=0.1)
        _, task = bus.running.pop()
        await task
        assert told[0] == ["echo"]
        assert told[-1] == []

    play(story)


def test_draining_stops_what_takes_too_long_and_its_caller_is_told(play: Play) -> None:
    async def story(bus: Bus, echo: Echo, asker: Asker) -> None:
        call = asyncio.create_task(asker.ctx.call(Wait()))
        await echo.waiting.wait()
        bus.running[0][0].drain()
        with pytest.raises(Canceled):
            await call

    play(story)
