"""What a trace tells of those who spoke in it: without it, a replay would have to guess who they were."""

import asyncio
import heapq
import secrets
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bus.blobs import NAME, BlobStore
from bus.codec import to_json
from bus.compare import ID
from bus.context import World
from bus.trace import Trace
from schemas.bus import Register
from schemas.envelope import Envelope, Kind
from schemas.errors import Lost
from schemas.message import Blob, service_of, tag_of

OWN = service_of(Register)
"""The broker's own name as a sender, and as a service."""
PATIENCE_S = 10.0
"""How long a letter may take to come again."""
REGISTER = tag_of(Register)
TURNS = 20
"""Of the loop, until an actor that waits for nothing outside has done what follows from a letter."""


def services(trace: Trace) -> list[str]:
    """The services, and instances of them, that were at work."""
    asked = {line.letter.to for line in trace.lines if line.letter.kind is Kind.REQUEST and line.letter.to != OWN}
    return sorted(each for each in asked if lives(trace, each))


def lives(trace: Trace, service: str) -> list[str]:
    """The ports behind which a service was at work, in order: each start of its process has its own."""
    asked: set[str] = set()
    found: dict[str, None] = {}
    for letter in (line.letter for line in trace.lines):
        if letter.kind is Kind.REQUEST and letter.to == service:
            asked.add(letter.id)
        registers = tag_in(letter) == REGISTER and service in body_of(letter).get("services", [])
        if registers or (letter.kind in (Kind.PART, Kind.REPLY) and letter.re in asked and letter.sender != OWN):
            found.setdefault(letter.sender)
    return list(found)


class RecordedStore(BlobStore):
    """A blob store that has the recorded sessions and blobs, under their recorded names; unrecorded ones are empty."""

    def __init__(self, folder: Path, trace: Trace, blobs: Path) -> None:
        super().__init__(folder)
        letters = [line.letter for line in trace.lines]
        for session in dict.fromkeys(letter.session for letter in letters if letter.session):
            self.begin(session)
        for name, (sessions, blob) in named_blobs(letters).items():
            # One that was not recorded is there for those who only count it.
            data = (blobs / name).read_bytes() if (blobs / name).exists() else b""
            for session in sessions:
                with self.vault(session).writer(blob.media_type, durable=False, name=name) as writer:
                    writer.write(data)


class RecordedWorld(World):
    """Time and ids as they were: time moves when the player says so."""

    def __init__(self, ids: dict[str, deque[str]]) -> None:
        self._ids = ids
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """The time of the letter that is played."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the trace is so far."""
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, id(woken), woken))
        await woken

    def new_id(self, trace: str) -> str:
        """The next id that was made up then for this cause."""
        return self._ids[trace].popleft() if self._ids[trace] else secrets.token_hex(16)

    async def advance(self, t: float) -> None:
        """Let it be `t`; those who sleep wake one after another, each at its own time."""
        while self._sleepers and self._sleepers[0][0] <= t:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._now = t


async def settle() -> None:
    """Let everybody in this loop do what is possible now."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Heard:
    """What was said so far, counted by where it belongs, and waited for."""

    def __init__(self, patience_s: float) -> None:
        self.letters: list[Envelope] = []
        self.counts: Counter[object] = Counter()
        self._patience_s = patience_s
        self._news = asyncio.Event()

    def note(self, letter: Envelope, place: object) -> None:
        """One more letter."""
        self.letters.append(letter)
        self.counts[place] += 1
        self._news.set()

    async def until(self, place: object, count: int) -> bool:
        """Whether so many came at that place before patience ended."""
        try:
            async with asyncio.timeout(self._patience_s):
                while self.counts[place] < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True


def given(trace: Trace, service: str, port: str) -> set[str]:
    """The requests to a service that were given to this port: those that it answered, or nobody else could have."""
    letters = [line.letter for line in trace.lines]
    ports = lives(trace, service)
    last = {letter.sender: at for at, letter in enumerate(letters)}
    answered = {letter.re: letter.sender for letter in reversed(letters) if letter.re and letter.sender in ports}
    given: set[str] = set()
    for at, letter in enumerate(letters):
        if letter.kind is Kind.REQUEST and letter.to == service:
            alive = [each for each in ports if last[each] > at]
            if answered.get(letter.id, (alive or ports)[0]) == port:
                given.add(letter.id)
    return given


def named_blobs(letters: Sequence[Envelope]) -> dict[str, tuple[list[str], Blob]]:
    """The blobs that letters name, each with the sessions that have it: a kept page comes back by the same name."""
    found: dict[str, tuple[list[str], Blob]] = {}
    for letter in letters:
        for blob in blobs_in(msgspec.msgpack.decode(letter.body)):
            if letter.session:
                sessions, _ = found.setdefault(blob.name, ([], blob))
                sessions += [letter.session] if letter.session not in sessions else []
    return found


def blobs_in(body: Any) -> Iterator[Blob]:
    """The blobs that a body names, at any depth."""
    if isinstance(body, dict) and "media_type" in body and NAME.fullmatch(str(body.get("name"))):
        yield msgspec.convert(body, Blob)
    elif isinstance(body, dict | list):
        for each in body.values() if isinstance(body, dict) else body:
            yield from blobs_in(each)


def ids_in(letter: Envelope) -> set[str]:
    """All ids of a letter."""
    return set(ID.findall(to_json(letter).decode()))


def is_lost(letter: Envelope) -> bool:
    """Whether the broker says here that a worker has died."""
    return letter.sender == OWN and letter.kind is Kind.REPLY and body_of(letter).get("code") == Lost.code


def body_of(letter: Envelope) -> dict[str, Any]:
    """A letter's body as a mapping; empty where it is none."""
    body = msgspec.msgpack.decode(letter.body)
    return body if isinstance(body, dict) else {}


def tag_in(letter: Envelope) -> str:
    """The tag of a letter's message, or ""."""
    return str(body_of(letter).get("type", ""))
