"""Plays a trace into one actor: without it, nobody could show that it still says what it said."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bus.actor import Actor
from bus.blobs import NAME, BlobStore
from bus.codec import encode, encode_body, to_json
from bus.compare import ID, Difference, compare
from bus.port import Deliver
from bus.recorded import (
    OWN,
    PATIENCE_S,
    REGISTER,
    Heard,
    RecordedStore,
    RecordedWorld,
    given,
    ids_in,
    is_lost,
    lives,
    named_blobs,
    settle,
    tag_in,
)
from bus.runtime import Runtime
from bus.trace import Private, Trace, hidden
from schemas.bus import Registered
from schemas.envelope import Envelope, Kind
from schemas.errors import Canceled


async def replay_actor(
    trace: Trace,
    service: str,
    make: Callable[[], Actor],
    blobs: Path,
    folder: Path,
    *,
    private: Private | None = None,
    patience_s: float = PATIENCE_S,
) -> list[Difference]:
    """Feed an actor what a service (`buffer`, `driver/virtual:sample`) heard; what it says otherwise than then.

    `blobs` holds the recorded blobs, `folder` is empty and takes what the actor keeps; `make` is called for each life
    that the service had. A letter that does not come again within `patience_s` ends the play. Raises what the actor's
    start raises.
    """
    store = RecordedStore(folder, trace, blobs)
    differences: list[Difference] = []
    for port in lives(trace, service):
        life = _Life(trace, service, port, patience_s)
        differences += await life.play(make(), store, private or {})
    return differences


class _Life:
    """One actor behind one recorded port, whose place this takes: it is the bus for that actor."""

    def __init__(self, trace: Trace, service: str, port: str, patience_s: float) -> None:
        self.name = port
        self._patience_s = patience_s
        self._lines = trace.lines
        self._heard = Heard(patience_s)
        self._calls: dict[object, list[str]] = defaultdict(list)
        """Ids of the calls that the actor made now, by place."""
        self._requests = given(trace, service, port)
        self._waiting: deque[Envelope] = deque()
        self._working: set[str] = set()
        self._told: set[str] = set()
        """Ids that others gave to things: the actor must mean the same by them."""
        self._causes: set[str] = set()
        """The letters that what the actor was told follows from."""
        self._over = False

    async def open(self, topics: Sequence[str], deliver: Deliver) -> None:
        """The actor is there."""
        self._topics = frozenset(topics)
        self._deliver = deliver

    def send(self, letter: Envelope) -> None:
        """The actor says something. Raises TooLarge."""
        encode(letter)
        if tag_in(letter) == REGISTER:
            answer = Envelope(id="", kind=Kind.REPLY, re=letter.id, body=encode_body(Registered(broker="replay")))
            asyncio.get_running_loop().call_soon(self._deliver, answer)
        elif self._over:
            # Whoever is stopped waits for the end of what it asked.
            if letter.kind is Kind.CANCEL:
                answer = Envelope(id="", kind=Kind.REPLY, re=letter.re, body=encode_body(Canceled().failure()))
                asyncio.get_running_loop().call_soon(self._deliver, answer)
        else:
            self._heard.note(letter, self._place(letter))
            if letter.kind is Kind.REQUEST:
                self._calls[self._place(letter), letter.to, tag_in(letter)].append(letter.id)

    async def close(self) -> None:
        """The actor is gone."""

    async def play(self, actor: Actor, store: BlobStore, private: Private) -> list[Difference]:
        """Feed it, in recorded order, each letter after all that it had said before."""
        self._slots = actor.slots
        world = RecordedWorld(self._recorded_ids())
        runtime = Runtime(self, actor, store=store, world=world)
        running = asyncio.create_task(runtime.run())
        ready = asyncio.create_task(runtime.ready())
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if running.done():
            await running
        recorded = await self._feed(world)
        if not self._working:
            runtime.drain()
            await asyncio.wait({running}, timeout=self._patience_s)
        self._over = True
        running.cancel()
        await asyncio.wait({running})
        return compare(recorded, [hidden(letter, private) for letter in self._heard.letters], self._told)

    async def _feed(self, world: RecordedWorld) -> list[Envelope]:
        """Gives what the actor said then, up to where it fell silent now."""
        recorded: list[Envelope] = []
        expected: Counter[object] = Counter()
        calls: Counter[object] = Counter()
        now_called: dict[str, str] = {}
        own: set[str] = set()
        for line in self._lines:
            letter = line.letter
            if letter.sender == self.name:
                if tag_in(letter) == REGISTER or not self._has_cause(letter):
                    continue
                recorded.append(letter)
                own.update(ids_in(letter) - self._told)
                await world.advance(line.t)
                place = self._place(letter)
                expected[place] += 1
                if not await self._heard.until(place, expected[place]):
                    return recorded
                if letter.kind is Kind.REPLY:
                    self._working.discard(letter.re)
                    self._hand_out()
                    await settle()
                if letter.kind is Kind.REQUEST:
                    call = (place, letter.to, tag_in(letter))
                    calls[call] += 1
                    if calls[call] <= len(self._calls[call]):
                        now_called[letter.id] = self._calls[call][calls[call] - 1]
            if self._ended_by(letter):
                return recorded
            if self._concerns(letter, now_called):
                self._told.update(ids_in(letter) - own)
                self._causes.add(letter.trace or letter.id)
                await world.advance(line.t)
                self._take(letter, now_called)
                await settle()
        return recorded

    def _concerns(self, letter: Envelope, now_called: dict[str, str]) -> bool:
        match letter.kind:
            case Kind.REQUEST:
                return letter.id in self._requests
            case Kind.CANCEL:
                return letter.sender == OWN and letter.re in self._requests
            case Kind.EVENT:
                return letter.to in self._topics
            case Kind.PART | Kind.REPLY:
                return letter.re in now_called or (letter.sender == OWN and letter.re in self._requests)

    def _take(self, letter: Envelope, now_called: dict[str, str]) -> None:
        if letter.kind is Kind.REQUEST:
            self._waiting.append(letter)
            self._hand_out()
        elif letter.re in now_called:
            self._deliver(msgspec.structs.replace(letter, re=now_called[letter.re]))
        elif letter.kind is Kind.REPLY:
            # The broker gave it up: if it still waited for a slot, the actor never saw it.
            self._waiting = deque(each for each in self._waiting if each.id != letter.re)
        else:
            self._deliver(letter)

    def _hand_out(self) -> None:
        while self._waiting and len(self._working) < self._slots:
            letter = self._waiting.popleft()
            self._working.add(letter.id)
            self._deliver(letter)

    def _ended_by(self, letter: Envelope) -> bool:
        return is_lost(letter) and letter.re in self._requests

    def _has_cause(self, letter: Envelope) -> bool:
        # What was asked before the trace began cannot be asked again.
        return letter.trace.startswith(f"{self.name}.") or letter.trace in self._causes

    def _place(self, letter: Envelope) -> object:
        # What the actor does by itself has causes of its own, which are told apart by what is said to whom.
        return (letter.kind, letter.to) if letter.trace.startswith(f"{self.name}.") else letter.trace

    def _recorded_ids(self) -> dict[str, deque[str]]:
        """The ids that the actor made up then, by the cause for which it did."""
        made: dict[str, deque[str]] = defaultdict(deque)
        seen = set(named_blobs([line.letter for line in self._lines]))
        for letter in (line.letter for line in self._lines):
            for name in ID.findall(to_json(letter).decode()):
                if letter.sender == self.name and NAME.fullmatch(name) and name not in seen:
                    own = letter.trace.startswith(f"{self.name}.")
                    made["" if own else letter.trace].append(name)
                seen.add(name)
        return made
