"""`scanbus trace` on a service that runs, and what is left when it crashes."""

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from msgspec import msgpack

from bus.trace import HIDDEN, Trace, read
from scanbus.client import ScannerError
from schemas.config import Config
from schemas.envelope import Kind
from tests.system.conftest import WAIT_S, Service, until

CANARY = "canary-5f1c"
CRASHER = """
from pathlib import Path
from typing import Never
from bus import Actor, Context, on
from schemas.buffer import Changed
from schemas.message import Message, Request

class Done(Message, tag="crasher.done"):
    pass

class Boom(Request[Done, Never], tag="crasher.boom"):
    pass

class Crasher(Actor):
    service = "crasher"

    @on(Changed)
    async def changed(self, msg: Changed, ctx: Context) -> None:
        await ctx.call(Boom())

    @on(Boom)
    async def boom(self, msg: Boom, ctx: Context) -> Done:
        crashed = Path(self.config.state_folder) / "crashed"
        if not crashed.exists():
            crashed.touch()
            raise MemoryError
        return Done()
"""


class Recording:
    """`scanbus trace record` in a process of its own, which has begun."""

    def __init__(self, service: Service, name: str, *words: str) -> None:
        self._process = subprocess.Popen(
            service.command("trace", "record", name, *words),
            env=service.environment,
            cwd=service.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        until((service.folder / name).exists, "it is recorded")

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Wait for its exit code and what it said."""
        _, said = self._process.communicate(timeout=WAIT_S)
        return self._process.returncode, said


@contextmanager
def recording(service: Service, name: str, *words: str) -> Iterator[None]:
    """What is said while the block runs."""
    own = Recording(service, name, *words)
    try:
        yield
    finally:
        own.interrupt()
        code, said = own.end()
    assert (code, "Traceback" in said) == (0, False), said


def tags(trace: Trace) -> list[str]:
    bodies = [msgpack.decode(line.letter.body) for line in trace.lines]
    return [body["type"] for body in bodies if body is not None]


def scan(service: Service, **options: str) -> None:
    with service.client() as client:
        assert len(list(client.scan("virtual:fast", source="feeder", pages=2, resolution_dpi=75))) == 2
        client.pdf(service.folder / "scan.pdf", overwrite=True, **options)


def test_a_scan_is_recorded_with_its_pages_while_it_goes_on(shared: Service) -> None:
    recording = Recording(shared, "scan.jsonl", "--blobs")
    scan(shared)
    recording.interrupt()
    code, said = recording.end()
    trace = read(shared.folder / "scan.jsonl")
    assert (code, f"scan.jsonl: {len(trace.lines)} letters, " in said) == (0, True), said
    assert [
        tag for tag in tags(trace) if tag in ("device.scan", "device.scanned_page", "device.scanned", "pdf.create")
    ] == [
        "device.scan",
        "device.scanned_page",
        "device.scanned_page",
        "device.scanned",
        "pdf.create",
    ]
    requests = [line.letter.id for line in trace.lines if line.letter.kind is Kind.REQUEST]
    replies = [line.letter.re for line in trace.lines if line.letter.kind is Kind.REPLY]
    assert len(set(requests)) == len(requests)
    assert len(set(replies)) == len(replies)
    # The last heartbeats may still be open.
    assert len(set(requests) - set(replies)) <= 9
    folder = shared.folder / "scan.blobs"
    assert folder.stat().st_mode & 0o777 == 0o700
    named = {
        body["image"]["blob"]["name"]: body["image"]["blob"]["size"]
        for body in (msgpack.decode(line.letter.body) for line in trace.lines)
        if body is not None and body["type"] == "driver.arrived"
    }
    assert len(named) == 2
    for name, size in named.items():
        content = (folder / name).read_bytes()
        assert (content[:1], len(content), (folder / name).stat().st_mode & 0o777) == (b"P", size, 0o600)


def test_no_private_text_is_in_a_trace_the_ring_or_the_log_unless_asked_for(
    make_service: Callable[..., Service],
) -> None:
    service = make_service(SCANBUS_LOG__LEVEL="debug")
    service.start()
    with recording(service, "hidden.jsonl"), recording(service, "shown.jsonl", "--private"):
        scan(service, title=CANARY)
    for words in (["hidden-ring.jsonl"], ["shown-ring.jsonl", "--private"]):
        assert service.run("trace", "last", *words).returncode == 0
    assert service.stop() == 0
    for path in service.folder.glob("*.jsonl"):
        text = path.read_text()
        assert '"type":"pdf.create"' in text
        assert (CANARY in text, HIDDEN in text) == (path.name.startswith("shown"), path.name.startswith("hidden"))
    log = service.log.read_text()
    assert CANARY not in log
    assert "jsonl" not in log


def test_a_recording_can_be_of_one_session_or_of_one_service(shared: Service) -> None:
    with shared.client() as client:
        assert client.pages() == []
        session_id = client.session_id
        with (
            recording(shared, "session.jsonl", "--session", session_id[:8]),
            recording(shared, "pdf.jsonl", "--service", "pdf"),
        ):
            scan(shared)
            assert client.pages() == []
    ours = read(shared.folder / "session.jsonl")
    assert tags(ours) == ["buffer.list_pages", "buffer.pages"]
    assert {line.letter.session for line in ours.lines} == {session_id}
    requests = [line.letter for line in read(shared.folder / "pdf.jsonl").lines if line.letter.kind is Kind.REQUEST]
    assert requests[0].to == "pdf"
    assert {"buffer", "image", "cache"} <= {letter.to for letter in requests}
    assert "device" not in {letter.to for letter in requests}


def test_a_trace_is_shown_in_a_hundred_columns_and_one_cause_can_be_followed(shared: Service) -> None:
    with recording(shared, "shown.jsonl"):
        scan(shared)
        until(lambda: "bus.registered" in (shared.folder / "shown.jsonl").read_text(), "a heart has beaten")
    shown = shared.run("trace", "show", "shown.jsonl").stdout.splitlines()
    assert max(map(len, shown)) <= 100
    assert not [line for line in shown if "bus.register" in line]
    assert " left out; --beats shows them." in shown[-1]
    assert "bus.register" in shared.run("trace", "show", "shown.jsonl", "--beats").stdout
    (pdf,) = [line.split()[0] for line in shown if "pdf.create " in line or line.endswith("pdf.create")]
    followed = shared.run("trace", "show", "shown.jsonl", "--cause", pdf).stdout
    assert {"pdf.created", "image.render", "image.rendered", "cache.hold"} <= set(followed.split())
    assert "device." not in followed
    render = next(line for line in followed.splitlines() if "image.render " in line)
    assert render.index("image.render") == next(iter(followed.splitlines())).index("pdf.create") + 2
    replies = shared.run("trace", "show", "shown.jsonl", "--service", "pdf", "--kind", "reply").stdout.splitlines()
    assert replies
    assert {line.split()[2] for line in replies} == {"reply"}
    full = shared.run("trace", "show", "shown.jsonl", "--cause", pdf, "--full").stdout.splitlines()
    assert json.loads(full[1])["body"]["type"] == "pdf.create"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["record", "log.txt"], 2, "ends in .jsonl"),
        (["last", "there.jsonl"], 2, "exists already"),
        (["record", "there.jsonl", "--blobs"], 2, "exists already"),
        (["last", "missing/x.jsonl"], 1, "cannot be written"),
        (["show", "log"], 2, "is not a trace"),
        (["show", "nothing.jsonl"], 2, "cannot be read"),
        (["show", "there.jsonl", "--cause", "7"], 2, "no line 7"),
        (["show", "there.jsonl", "--cause", "x"], 2, "no letter 'x'"),
        (["last", "x.jsonl", "--set", "runtime_folder=elsewhere"], 3, "does not run"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(shared: Service, words: list[str], code: int, said: str) -> None:
    (shared.folder / "there.jsonl").write_text('{"trace":1}\n{"t":0,"id":"a","kind":"event"}\n')
    ended = shared.run("trace", *words)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_recording_ends_well_when_the_service_stops(service: Service) -> None:
    recording = Recording(service, "x.jsonl")
    assert service.stop() == 0
    code, said = recording.end()
    assert (code, f"x.jsonl: {len(read(service.folder / 'x.jsonl').lines)} letters" in said) == (0, True), said


def test_a_recording_whose_broker_is_killed_says_so_and_keeps_what_it_has(service: Service) -> None:
    recording = Recording(service, "x.jsonl")
    with service.client() as client:
        client.devices()
    until(lambda: "device.list_devices" in tags(read(service.folder / "x.jsonl")), "it is in the file")
    service.kill("main")
    code, said = recording.end()
    assert (code, "ended before it was done" in said) == (1, True), said
    assert "device.list_devices" in tags(read(service.folder / "x.jsonl"))


def test_when_main_crashes_the_last_minute_is_saved_and_the_log_says_where(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    (tmp_path / "crasher.py").write_text(CRASHER)
    facts = tmp_path / "crasher-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: crasher\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[scanbus.actors]\ncrasher = crasher:Crasher\n")
    processes = Config().processes
    service = make_service(
        PYTHONPATH=str(tmp_path),
        SCANBUS_PROCESSES=json.dumps({**processes, "main": [*processes["main"], "crasher"]}),
    )
    service.start()
    # Whether the scan still ends well is not what this is about.
    with suppress(ScannerError), service.client() as client:
        list(client.scan("virtual:fast", source="feeder", pages=1))
    state = service.folder / "state"
    until(lambda: re.search("a process has ended: main .*trace=", service.log.read_text()), "the log says where")
    (dump,) = state.glob("crash-*.jsonl")
    assert f"trace={dump}\n" in service.log.read_text()
    trace = read(dump)
    assert not trace.broken
    assert "crasher.boom" in tags(trace)
    assert dump.stat().st_mode & 0o777 == 0o600
    until(lambda: service.client().health()[0], "main is back")
    assert list(state.glob("crash-*.jsonl")) == [dump]
