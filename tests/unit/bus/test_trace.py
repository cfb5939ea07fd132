"""What a trace holds, what it hides, and what it survives."""

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import Raw, structs

from bus.codec import encode, encode_body
from bus.trace import AROUND_BYTES, HIDDEN, RING_LIMIT_BYTES, Filter, Header, Recorder, Ring, read, save
from schemas.envelope import Envelope, Kind
from schemas.errors import Conflict, Invalid, NotFound, ScanbusError, StorageFull
from tests.unit.bus.echo import Asker, Bus, Echo, Fail, Heard, Say, Wait

PRIVATE = {"echo.say": [("text",)], "deep": [("pages", "text"), ("data", "*")]}
Story = Callable[[Bus, Echo, Asker], Awaitable[None]]


def letter(key: str, **fields: object) -> Envelope:
    return structs.replace(Envelope(id=key, kind=Kind.EVENT, to="echo.heard"), **fields)


def recorder(path: Path, **filters: str) -> Recorder:
    return Recorder(path, version="0", broker="b", private=PRIVATE, **filters)


def written(path: Path, *letters: Envelope, **filters: str) -> list[Envelope]:
    with recorder(path, **filters) as recording:
        for number, each in enumerate(letters):
            recording.note(float(number), each, encode(each))
    return [line.letter for line in read(path).lines]


def test_every_letter_is_seen_once_and_in_one_order(play: Callable[[Story], None], tmp_path: Path) -> None:
    async def story(here: Bus, echo: Echo, asker: Asker) -> None:
        recording, other = recorder(tmp_path / "a.jsonl"), recorder(tmp_path / "b.jsonl")
        here.broker.watchers += [recording.note, other.note]
        await asker.ctx.call(Say(text="hello", notes=2))
        await asker.heard.get()
        with pytest.raises(ScanbusError):
            await asker.ctx.call(Fail())
        async with asker.ctx.stream(Wait()):
            await echo.waiting.wait()
        here.broker.watchers.clear()
        recording.close()
        other.close()
        lines = read(tmp_path / "a.jsonl").lines
        assert lines == read(tmp_path / "b.jsonl").lines
        ids = [line.letter.id for line in lines]
        assert len(ids) == len(set(ids))
        assert lines[0].t == 0.0
        assert [line.t for line in lines] == sorted(line.t for line in lines)
        said = [
            line.letter for line in lines if line.letter.to != "bus" and b"bus.regist" not in bytes(line.letter.body)
        ]
        requests = {each.id: each.to for each in said if each.kind is Kind.REQUEST}
        assert list(requests.values()) == ["echo", "echo", "echo"]
        first, failing, waiting = requests
        assert sorted(each.kind for each in said if each.re == first) == ["part", "part", "reply"]
        assert [each.kind for each in said if each.re == failing] == ["reply"]
        # The asker's cancel, the broker's own to the worker, and the worker's last word.
        assert [(each.kind, each.sender.partition("#")[0]) for each in said if each.re == waiting] == [
            ("cancel", "asker"),
            ("cancel", "bus"),
            ("reply", "echo"),
        ]

    play(story)


def test_a_peer_that_signs_as_the_broker_is_still_seen_once(play: Callable[[Story], None], tmp_path: Path) -> None:
    async def story(here: Bus, echo: Echo, asker: Asker) -> None:
        seen: list[str] = []
        here.broker.watchers.append(lambda now, each, data: seen.append(each.id))
        here.broker.take("peer", encode(letter("forged", sender="bus", body=encode_body(Heard(text="x")))))
        assert await asker.heard.get() == "x"
        assert seen.count("forged") == 1

    play(story)


def test_a_trace_reads_as_it_was_written(tmp_path: Path) -> None:
    letters = [
        letter("p.1", kind=Kind.REQUEST, to="echo", session="s", ttl=1.5, tries=2, body=encode_body(Heard(text="é\n"))),
        letter("p.2", re="p.1", kind=Kind.CANCEL, to=""),
    ]
    assert written(tmp_path / "x.jsonl", *letters) == letters
    assert read(tmp_path / "x.jsonl").header == Header(trace=1, version="0", broker="b")
    first = (tmp_path / "x.jsonl").read_text().splitlines()[1]
    assert first.startswith('{"t":0.0,"id":"p.1","kind":"request","to":"echo"')


def test_a_session_filter_keeps_answers_that_name_no_session(tmp_path: Path) -> None:
    ours = letter("p.1", kind=Kind.REQUEST, to="echo", session="abc")
    theirs = letter("p.2", kind=Kind.REQUEST, to="echo", session="xyz")
    refusal, other = letter("b.1", kind=Kind.REPLY, re="p.1"), letter("b.2", kind=Kind.REPLY, re="p.2")
    assert written(tmp_path / "x.jsonl", ours, theirs, refusal, other, session="ab") == [ours, refusal]


def test_a_service_filter_follows_what_the_service_asked_of_others(tmp_path: Path) -> None:
    asked = letter("p.1", kind=Kind.REQUEST, to="echo/one")
    nested = letter("e.1", kind=Kind.REQUEST, to="other", re="p.1")
    answer = letter("o.1", kind=Kind.REPLY, to="e", re="e.1")
    event, strange = letter("e.2"), letter("o.2", to="other.heard")
    kept = written(tmp_path / "x.jsonl", asked, nested, strange, answer, event, service="echo")
    assert kept == [asked, nested, answer, event]


def test_a_filter_that_follows_for_ever_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.trace.FOLLOWED", 3)
    only = Filter(session="s")
    for number in range(10):
        only.picks(letter(f"p.{number}", kind=Kind.REQUEST, session="s"))
    assert list(only._followed) == ["p.7", "p.8", "p.9"]


def test_private_fields_are_hidden_wherever_they_lie_and_shown_when_asked_for(tmp_path: Path) -> None:
    from msgspec import msgpack

    deep = {"type": "deep", "pages": [{"text": "canary", "number": 1}, "canary?"], "data": {"canary": "canary"}}
    say = letter("p.1", body=encode_body(Say(text="canary", notes=1)))
    body = letter("p.2", body=Raw(msgpack.encode(deep)))
    hidden = written(tmp_path / "x.jsonl", say, body)
    assert msgpack.decode(hidden[0].body) == {"type": "echo.say", "text": HIDDEN, "notes": 1}
    pages = [{"text": HIDDEN, "number": 1}, "canary?"]
    assert msgpack.decode(hidden[1].body) == {"type": "deep", "pages": pages, "data": {"canary": HIDDEN}}
    with Recorder(tmp_path / "y.jsonl", version="0", broker="b", private={}) as shown:
        shown.note(0.0, say, encode(say))
    assert read(tmp_path / "y.jsonl").lines[0].letter == say


@pytest.mark.parametrize("body", [b"\xa2\xff\xfe", b"\xc7\x01\x05a", b"\x81\x90\x01", b"\xcb\x7f\xf8\0\0\0\0\0\0"])
def test_a_body_that_no_json_can_say_does_not_end_the_recording(tmp_path: Path, body: bytes) -> None:
    kept = written(tmp_path / "x.jsonl", letter("p.1", body=Raw(body)), letter("p.2"))
    assert [each.id for each in kept] == ["p.1", "p.2"]


def test_a_trace_is_private_to_its_owner_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    recorder(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        recorder(path)
    assert path.read_bytes() == before
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    with pytest.raises(Conflict):
        recorder(tmp_path / "link.jsonl")
    for wrong in (tmp_path / "x.sh", Path("x.jsonl")):
        with pytest.raises(Invalid, match="jsonl"):
            recorder(wrong)


def test_a_full_disk_ends_the_recording_and_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    path = tmp_path / "x.jsonl"
    recording = recorder(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, limits[1]))
    try:
        for number in range(3):
            recording.note(0.0, letter(f"p.{number}"), b"")
        with pytest.raises(StorageFull, match="no space left"):
            recording.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    recording.note(0.0, letter("p.9"), b"")
    recording.close()
    trace = read(path)
    assert [line.letter.id for line in trace.lines] == ["p.0"]
    assert "cut off" in trace.broken


def test_a_disk_that_is_too_slow_ends_the_recording_instead_of_filling_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.trace.PENDING_LIMIT_BYTES", 1000)
    recording = recorder(tmp_path / "x.jsonl")
    for number in range(1000):
        recording.note(0.0, letter(f"p.{number}"), b"x" * 400)
    with pytest.raises(ScanbusError, match="too slow"):
        recording.close()
    assert [line.letter.id for line in read(tmp_path / "x.jsonl").lines] == ["p.0", "p.1", "p.2"]


def test_no_letter_is_lost_while_others_are_written(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "x.jsonl")
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            recording.flush()

    writer = threading.Thread(target=write)
    writer.start()
    letters = [letter(f"p.{number}") for number in range(20_000)]
    for each in letters:
        recording.note(0.0, each, b"")
    done.set()
    writer.join()
    recording.close()
    assert [line.letter.id for line in read(tmp_path / "x.jsonl").lines] == [each.id for each in letters]


def test_fields_that_a_newer_release_added_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        '{"trace":1,"version":"9","mood":"new"}\n{"t":1,"id":"a","kind":"event","color":1,"body":{"type":"x","y":2}}\n'
    )
    trace = read(path)
    assert (trace.header.version, trace.lines[0].letter.id, trace.broken) == ("9", "a", "")


def test_a_broken_last_line_is_said_and_a_broken_line_before_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    written(path, letter("p.1"), letter("p.2"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    trace = read(path)
    assert [line.letter.id for line in trace.lines] == ["p.1"]
    assert trace.broken == "Line 3 is cut off: the writer was interrupted."
    path.write_bytes(whole[:-1])
    assert len(read(path).lines) == 2
    path.write_bytes(whole.replace(b'"id":"p.1"', b'"id":1'))
    with pytest.raises(Invalid, match=r"Line 2 of .* is not a letter"):
        read(path)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "not a trace"), (b"hello\n", "not a trace"), (b'{"trace":2,"version":"9"}\n', "newer")]
)
def test_what_is_no_trace_is_refused_in_words(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=said):
        read(path)
    with pytest.raises(NotFound, match="cannot be read"):
        read(tmp_path / "missing.jsonl")


def test_the_ring_keeps_a_minute(tmp_path: Path) -> None:
    ring = Ring()
    for second in range(200):
        ring.note(float(second), letter("x"), encode(letter(f"p.{second}")))
    kept = ring.letters()
    assert [now for now, _ in kept] == [float(second) for second in range(139, 200)]
    assert save(kept, tmp_path / "x.jsonl", version="0", broker="b", private={}) == 61
    lines = read(tmp_path / "x.jsonl").lines
    assert (lines[0].t, lines[0].letter.id, lines[-1].t, lines[-1].letter.id) == (0.0, "p.139", 60.0, "p.199")


@pytest.mark.parametrize("size", [0, 100, 1 << 20])
def test_the_ring_is_bounded_in_bytes(size: int) -> None:
    ring = Ring()
    for _ in range(3 * RING_LIMIT_BYTES // (size + AROUND_BYTES)):
        ring.note(0.0, letter("x"), b"x" * size)
    kept = sum(len(data) + AROUND_BYTES for _, data in ring.letters())
    assert RING_LIMIT_BYTES - (size + AROUND_BYTES) < kept <= RING_LIMIT_BYTES
