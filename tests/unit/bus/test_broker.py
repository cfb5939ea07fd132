"""What the broker does with peers that are broken, gone, or not allowed."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zmq

from bus.broker import UNREAD_LETTERS
from bus.codec import BodyDecoder, decode, encode, encode_body
from bus.port import ZmqPort
from bus.pump import Pump
from schemas.bus import Register, Registered
from schemas.envelope import Envelope, Kind
from schemas.errors import Conflict, Denied, Failure, Lost
from tests.unit.bus.conftest import free_ports
from tests.unit.bus.echo import Asker, Bus, Echo, Said, Say, Wait, bus


class Peer:
    """A plain DEALER that may say anything."""

    def __init__(self, here: Bus, name: bytes) -> None:
        self._context = zmq.Context()
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, name)
        socket.setsockopt(zmq.LINGER, 0)
        self.socket = socket
        self.heard: asyncio.Queue[Envelope] = asyncio.Queue()
        self._pump = Pump(socket, lambda frames: self.heard.put_nowait(decode(frames[0])))
        socket.connect(here.endpoint)

    def say(self, data: bytes) -> None:
        self._pump.send([data])

    def close(self) -> None:
        self._pump.close()
        self._context.term()


@asynccontextmanager
async def peers(folder: Path, *names: bytes) -> AsyncIterator[tuple[Bus, list[Peer]]]:
    async with asyncio.timeout(20), bus(folder, "ipc", 0) as here:
        connected = [Peer(here, name) for name in names]
        try:
            yield here, connected
        finally:
            for peer in connected:
                peer.close()


def code_of(letter: Envelope) -> str:
    failure = BodyDecoder((Failure, Registered)).decode(letter.body)
    assert isinstance(failure, Failure)
    return failure.code


@pytest.mark.parametrize("data", [b"", b"\xc1\xc1", b"\x91" * 5000, b"{}", b"\x81\xa2id\xa2\xff\xff"])
def test_a_malformed_letter_is_answered_invalid_and_the_next_one_works(tmp_path: Path, data: bytes) -> None:
    async def story() -> None:
        async with peers(tmp_path, b"odd") as (_, (odd,)):
            odd.say(data)
            assert code_of(await odd.heard.get()) == "invalid"
            body = encode_body(Register(services=[]))
            odd.say(encode(Envelope(id="odd.1", kind=Kind.REQUEST, to="bus", ttl=1.0, body=body)))
            answer = await odd.heard.get()
            assert (answer.re, answer.kind) == ("odd.1", Kind.REPLY)

    asyncio.run(story())


def test_an_over_long_letter_is_answered_too_large(tmp_path: Path) -> None:
    async def story() -> None:
        async with peers(tmp_path, b"long") as (_, (long,)):
            long.say(b"\0" * ((1 << 20) + 1))
            assert code_of(await long.heard.get()) == "too_large"

    asyncio.run(story())


def test_a_letter_that_would_fill_the_memory_cuts_its_sender_off_and_nobody_else(tmp_path: Path) -> None:
    async def story() -> None:
        async with peers(tmp_path, b"flood") as (here, (flood,)):
            flood.say(b"\0" * (8 << 20))
            await here.add(Echo(here.config))
            asker = Asker(here.config)
            await here.add(asker)
            assert await asker.ctx.call(Say(text="fine")) == Said(text="fine")
            assert flood.heard.empty()

    asyncio.run(story())


def test_a_worker_that_falls_silent_is_reported_and_its_work_is_lost(tmp_path: Path) -> None:
    async def story() -> None:
        async with peers(tmp_path, b"silent#1") as (here, (silent,)):
            body = encode_body(Register(services=["echo"]))
            silent.say(encode(Envelope(id="silent.1", kind=Kind.REQUEST, to="bus", ttl=1.0, body=body)))
            await silent.heard.get()
            asker = Asker(here.config)
            await here.add(asker)
            with pytest.raises(Lost):
                await asker.ctx.call(Wait())
            assert here.lost == ["silent"]

    asyncio.run(story())


def test_a_process_that_has_ended_loses_its_work_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with peers(tmp_path, b"ocr-1#a", b"ocr-10#a") as (here, workers):
            for worker in workers:
                body = encode_body(Register(services=["echo"]))
                worker.say(encode(Envelope(id="w.1", kind=Kind.REQUEST, to="bus", ttl=1.0, body=body)))
                await worker.heard.get()
            asker = Asker(here.config)
            await here.add(asker)
            calls = [asyncio.create_task(asker.ctx.call(Wait())) for _ in workers]
            given = [(await worker.heard.get()).kind for worker in workers]
            assert given == [Kind.REQUEST, Kind.REQUEST]
            here.broker.gone("ocr-1")
            done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            assert isinstance(done.pop().exception(), Lost)
            for call in waiting:
                call.cancel()
            letter = await workers[1].heard.get()
            assert letter.kind is Kind.CANCEL
            workers[1].say(encode(Envelope(id="w.2", kind=Kind.REPLY, re=letter.re, body=encode_body(Said(text="")))))
            await asyncio.wait(waiting)

    asyncio.run(story())


def registration(name: str, *services: str) -> bytes:
    body = encode_body(Register(services=list(services)))
    return encode(Envelope(id=f"{name}.1", kind=Kind.REQUEST, to="bus", ttl=1.0, body=body))


@pytest.mark.parametrize(
    ("peer", "service"),
    [("image#1", "image"), ("driver/sane:a#b#1", "driver/sane:a#b"), ("echo@elsewhere#1", "image"), ("echo#1", "echo")],
)
def test_a_worker_may_serve_what_its_process_is_for_and_who_joins_whatever_main_does_not(
    tmp_path: Path, peer: str, service: str
) -> None:
    async def story() -> None:
        async with peers(tmp_path, peer.encode()) as (_, (worker,)):
            worker.say(registration("w", service))
            answer = BodyDecoder((Registered, Failure)).decode((await worker.heard.get()).body)
            assert isinstance(answer, Registered)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("peer", "service"),
    [
        ("image#1", "pdf"),
        ("image#1", "device"),
        ("main#1", "device"),
        ("device@elsewhere#1", "device"),
        ("driver/sane:a#1", "driver/sane:b"),
    ],
)
def test_a_worker_that_registers_what_belongs_to_others_is_denied(tmp_path: Path, peer: str, service: str) -> None:
    async def story() -> None:
        async with peers(tmp_path, peer.encode()) as (_, (worker,)):
            worker.say(registration("w", service))
            assert code_of(await worker.heard.get()) == "denied"

    asyncio.run(story())


def test_a_peer_that_floods_is_reported_once_and_not_heard_again_until_its_process_has_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with peers(tmp_path, b"chatty#1") as (here, (chatty,)):
            for _ in range(1000):
                chatty.say(b"\xff")
            await here.lost_next.wait()
            chatty.say(registration("chatty", "echo"))
            asker = Asker(here.config)
            await here.add(asker)
            await here.add(Echo(here.config))
            assert await asker.ctx.call(Say(text="fine")) == Said(text="fine")
            heard = [chatty.heard.get_nowait() for _ in range(chatty.heard.qsize())]
            assert len(heard) < 300
            assert {code_of(letter) for letter in heard} == {"invalid"}
            assert here.lost == ["chatty"]
            here.broker.gone("chatty")
            chatty.say(registration("chatty", "echo"))
            answer = BodyDecoder((Registered, Failure)).decode((await chatty.heard.get()).body)
            assert isinstance(answer, Registered)

    asyncio.run(story())


def test_while_the_broker_has_no_time_to_read_letters_wait_at_their_sender(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(20), bus(tmp_path, "ipc", 0) as here:
            with zmq.Context() as context, context.socket(zmq.DEALER) as hasty:
                hasty.setsockopt(zmq.LINGER, 0)
                hasty.setsockopt(zmq.SNDHWM, 1)
                hasty.connect(here.endpoint)
                handed_over = 0
                # The broker shares this loop, which does not get a turn.
                while hasty.poll(300, zmq.POLLOUT) and handed_over < 200:
                    hasty.send(bytes(1 << 20))
                    handed_over += 1
                assert UNREAD_LETTERS <= handed_over < 2 * UNREAD_LETTERS

    asyncio.run(story())


def test_a_second_broker_on_the_same_endpoint_refuses_to_start(tmp_path: Path) -> None:
    async def story() -> None:
        async with bus(tmp_path, "ipc", 0) as here:
            await here.add(Echo(here.config))
            asker = Asker(here.config)
            await here.add(asker)
            second = here.make_broker()
            with pytest.raises(Conflict, match="stop it first"):
                await second.listen(here.endpoint)
            await second.close()
            assert await asker.ctx.call(Say(text="undisturbed")) == Said(text="undisturbed")

    asyncio.run(story())


def test_a_second_broker_on_the_same_tcp_port_refuses_to_start(tmp_path: Path) -> None:
    async def story() -> None:
        async with bus(tmp_path, "tcp", free_ports()) as here:
            second = here.make_broker()
            with pytest.raises(Conflict, match="cannot listen"):
                await second.listen(here.endpoint)
            await second.close()

    asyncio.run(story())


def test_a_broker_that_has_ended_leaves_no_file_and_the_next_one_can_start(tmp_path: Path) -> None:
    async def story() -> None:
        for _ in range(2):
            async with bus(tmp_path, "ipc", 0) as here:
                assert (tmp_path / "run" / "bus").exists()
                assert here.endpoint
            assert list((tmp_path / "run").iterdir()) == []

    asyncio.run(story())


def test_after_a_restart_of_the_broker_open_calls_are_lost_and_new_ones_work(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(20), bus(tmp_path, "ipc", 0) as here:
            echo, asker = Echo(here.config), Asker(here.config)
            await here.add(echo)
            await here.add(asker)
            call = asyncio.create_task(asker.ctx.call(Wait()))
            await echo.waiting.wait()
            await here.broker.close()
            await here.begin()
            with pytest.raises(Lost):
                await call
            await echo.stopped.wait()
            assert await asker.ctx.call(Say(text="again")) == Said(text="again")

    asyncio.run(story())


def test_the_runtime_folder_is_private_and_somebody_elses_is_refused(tmp_path: Path) -> None:
    from bus.endpoints import runtime_folder
    from schemas.config import Config

    open_folder = tmp_path / "open"
    open_folder.mkdir(mode=0o755)
    assert runtime_folder(Config(runtime_folder=str(open_folder))) == open_folder
    assert open_folder.stat().st_mode & 0o777 == 0o700
    link = tmp_path / "link"
    link.symlink_to(open_folder)
    with pytest.raises(Denied):
        runtime_folder(Config(runtime_folder=str(link)))
    if os.getuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        os.chown(foreign, 12345, 12345)
        with pytest.raises(Denied, match="somebody else"):
            runtime_folder(Config(runtime_folder=str(foreign)))


def test_over_tcp_a_stranger_gets_nowhere_and_an_allowed_key_does(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(30), bus(tmp_path, "tcp", free_ports()) as here:
            await here.add(Echo(here.config))
            allowed = tmp_path / "state" / "keys" / "allowed" / "worker.pub"
            key = allowed.read_bytes()
            allowed.unlink()
            stranger = ZmqPort(here.config, here.endpoint, "stranger")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stranger.open([], lambda letter: None)
            await stranger.close()
            allowed.write_bytes(key)
            welcome = ZmqPort(here.config, here.endpoint, "welcome")
            await welcome.open([], lambda letter: None)
            await welcome.close()

    asyncio.run(story())


def test_over_tcp_a_peer_without_curve_gets_nowhere(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(20), bus(tmp_path, "tcp", free_ports()) as here:
            plain = Peer(here, b"plain")
            body = encode_body(Register(services=["echo"]))
            plain.say(encode(Envelope(id="p.1", kind=Kind.REQUEST, to="bus", ttl=1.0, body=body)))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await plain.heard.get()
            plain.close()

    asyncio.run(story())


def test_a_worker_without_keys_is_told_what_it_needs(tmp_path: Path) -> None:
    async def story() -> None:
        here = Bus(tmp_path, "tcp", free_ports())
        port = ZmqPort(here.config, here.endpoint, "keyless")
        with pytest.raises(Denied, match=r"worker\.key_secret"):
            await port.open([], lambda letter: None)
        await port.close()

    asyncio.run(story())
