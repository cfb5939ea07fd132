"""Recording on a living bus: how it begins, how it ends, and that nobody else notices."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import msgpack

from bus.runtime import Runtime
from bus.trace import HIDDEN, read
from bus.tracer import CRASHES, Tracer
from schemas.bus import Record, Recorded, SaveRing
from schemas.errors import Conflict, Invalid, ScanbusError, StorageFull
from tests.disks import fill, small_disk
from tests.unit.bus.echo import Asker, Bus, Echo, Said, Say, bus

PRIVATE = {tag: [("text",)] for tag in ("echo.say", "echo.said", "echo.heard")}
Story = Callable[[Bus, Echo, Asker], Awaitable[None]]


async def add_tracer(here: Bus) -> Tracer:
    tracer = Tracer(here.config, here.broker, version="0", private=PRIVATE)
    runtime = Runtime(here.broker.local_port("main"), tracer, store=here.store)
    here.running.append((runtime, asyncio.create_task(runtime.run())))
    await runtime.ready()
    return tracer


async def begun(asker: Asker, path: Path) -> None:
    """Wait until letters are recorded."""
    while not await asyncio.to_thread(path.exists):
        await asker.ctx.call(Say(text="early"))


def texts(path: Path) -> list[str]:
    bodies = [msgpack.decode(line.letter.body) for line in read(path).lines]
    return [body["text"] for body in bodies if isinstance(body, dict) and body["type"] == "echo.say"]


def test_a_recording_ends_when_it_is_canceled_and_tells_how_much_it_has(
    play: Callable[[Story], None], tmp_path: Path
) -> None:
    async def story(here: Bus, echo: Echo, asker: Asker) -> None:
        await add_tracer(here)
        hidden, shown = tmp_path / "hidden.jsonl", tmp_path / "shown.jsonl"
        told = []
        for path in (hidden, shown):
            async with asker.ctx.stream(Record(path=str(path), private=path == shown), instance="trace") as recording:
                await begun(asker, path)
                await asker.ctx.call(Say(text="canary"))
                recording.cancel()
                told.append(await recording.reply())
        assert told == [Recorded(letters=len(read(path).lines)) for path in (hidden, shown)]
        assert texts(hidden)[-1] == HIDDEN
        assert b"canary" not in hidden.read_bytes()
        assert texts(shown)[-1] == "canary"
        assert len(here.broker.watchers) == 1

    play(story)


def test_a_recording_ends_in_time_for_its_caller_to_hear_of_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(20), bus(tmp_path, "memory", 0) as here:
            asker = Asker(here.config)
            await here.add(asker)
            await add_tracer(here)
            recorded = await asker.ctx.call(Record(path=str(tmp_path / "x.jsonl")), instance="trace", timeout_s=1.0)
            assert recorded == Recorded(letters=len(read(tmp_path / "x.jsonl").lines))

    asyncio.run(story())


def test_a_recording_ends_when_its_caller_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(20), bus(tmp_path, "ipc", 0) as here:
            echo, asker = Echo(here.config), Asker(here.config)
            await here.add(echo)
            await here.add(asker)
            await add_tracer(here)
            call = asyncio.create_task(asker.ctx.call(Record(path=str(tmp_path / "x.jsonl")), instance="trace"))
            await begun(asker, tmp_path / "x.jsonl")
            assert len(here.broker.watchers) == 2
            here.broker.gone("asker")
            while len(here.broker.watchers) > 1:
                await asker.ctx.call(Say(text="still there"))
            assert not call.done()

    asyncio.run(story())


def test_when_the_service_ends_a_recording_ends_well_and_at_once(play: Callable[[Story], None], tmp_path: Path) -> None:
    async def story(here: Bus, echo: Echo, asker: Asker) -> None:
        tracer = await add_tracer(here)
        async with asker.ctx.stream(Record(path=str(tmp_path / "x.jsonl")), instance="trace") as recording:
            await begun(asker, tmp_path / "x.jsonl")
            tracer.end()
            assert await recording.reply() == Recorded(letters=len(read(tmp_path / "x.jsonl").lines))

    play(story)


def test_a_full_disk_ends_the_recording_and_the_bus_works_on(tmp_path: Path) -> None:
    async def story() -> None:
        with small_disk(tmp_path / "disk", 64) as disk:
            async with asyncio.timeout(20), bus(tmp_path, "memory", 0) as here:
                echo, asker = Echo(here.config), Asker(here.config)
                await here.add(echo)
                await here.add(asker)
                await add_tracer(here)
                path = disk / "x.jsonl"
                async with asker.ctx.stream(Record(path=str(path)), instance="trace") as recording:
                    await begun(asker, path)
                    fill(disk)
                    ending = asyncio.create_task(recording.reply())
                    while not ending.done():
                        assert await asker.ctx.call(Say(text="x" * 1000)) == Said(text="x" * 1000)
                    with pytest.raises(StorageFull, match="no space left"):
                        await ending
                assert len(here.broker.watchers) == 1
                assert HIDDEN in texts(path)
                assert await asker.ctx.call(Say(text="fine")) == Said(text="fine")

    asyncio.run(story())


def test_what_cannot_be_written_is_refused_in_words_that_name_no_file(
    play: Callable[[Story], None], tmp_path: Path
) -> None:
    async def story(here: Bus, echo: Echo, asker: Asker) -> None:
        await add_tracer(here)
        (tmp_path / "there.jsonl").write_text("precious")
        for name, kind in (("there.jsonl", Conflict), ("missing/x.jsonl", ScanbusError), ("x.sh", Invalid)):
            path = str(tmp_path / name)
            for message in (Record(path=path), SaveRing(path=path)):
                with pytest.raises(kind) as refused:
                    await asker.ctx.call(message, instance="trace")
                assert str(tmp_path) not in refused.value.text
        assert (tmp_path / "there.jsonl").read_text() == "precious"
        assert len(here.broker.watchers) == 1

    play(story)


def test_the_last_minute_can_be_saved_afterwards_with_private_texts_left_out(
    play: Callable[[Story], None], tmp_path: Path
) -> None:
    async def story(here: Bus, echo: Echo, asker: Asker) -> None:
        tracer = await add_tracer(here)
        await asker.ctx.call(Say(text="canary"))
        assert texts(Path(tracer.dump(tmp_path))) == [HIDDEN]
        for name, private in (("hidden.jsonl", False), ("shown.jsonl", True)):
            path = tmp_path / name
            saved = await asker.ctx.call(SaveRing(path=str(path), private=private), instance="trace")
            assert saved == Recorded(letters=len(read(path).lines))
        assert texts(tmp_path / "hidden.jsonl") == [HIDDEN]
        assert texts(tmp_path / "shown.jsonl") == ["canary"]
        assert read(tmp_path / "shown.jsonl").header.broker == here.broker.name

    play(story)


def test_after_many_crashes_the_newest_dumps_are_kept(tmp_path: Path) -> None:
    async def story() -> list[str]:
        async with asyncio.timeout(20), bus(tmp_path, "memory", 0) as here:
            assert Tracer(here.config, here.broker, version="0", private={}).dump(tmp_path) == ""
            tracer = await add_tracer(here)
            return [tracer.dump(tmp_path) for _ in range(CRASHES + 2)]

    dumps = asyncio.run(story())
    assert sorted(map(str, tmp_path.glob("crash-*"))) == dumps[2:]
    assert read(Path(dumps[-1])).lines
