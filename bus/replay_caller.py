"""Plays what somebody outside said to a real bus: without it, each actor could be right and the whole be wrong."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from bus.codec import from_json, to_json
from bus.compare import ID, Difference, compare
from bus.port import Port
from bus.recorded import OWN, PATIENCE_S, Heard, is_lost, settle
from bus.trace import Trace
from schemas.envelope import Envelope, Kind


async def replay_caller(
    trace: Trace,
    caller: str,
    port: Port,
    topics: Sequence[str],
    *,
    begin: Callable[[], str],
    end: Callable[[str], None],
    patience_s: float = PATIENCE_S,
) -> list[Difference]:
    """Say to a real bus what a caller, by its recorded port's name, said; what it hears otherwise than then.

    `begin` opens a session and gives its id, `end` is told a service whose process shall die, because it did then.
    """
    return await _Caller(trace, caller, port, topics, patience_s).play(begin, end)


class _Caller:
    """Somebody outside, whose letters are said again in other words: sessions, pages and jobs have other ids now."""

    def __init__(self, trace: Trace, name: str, port: Port, topics: Sequence[str], patience_s: float) -> None:
        self._lines = trace.lines
        self._port = port
        self._topics = frozenset(topics)
        self._heard = Heard(patience_s)
        self._name = name
        self._now: dict[str, str] = {}
        """What a recorded id is called now."""
        self._then: dict[str, str] = {}
        self._came: dict[object, list[Envelope]] = defaultdict(list)

    async def play(self, begin: Callable[[], str], end: Callable[[str], None]) -> list[Difference]:
        """Say each letter after all that had been heard before."""
        await self._port.open([*self._topics], self._hear)
        own = {line.letter.id for line in self._lines if self._said(line.letter)}
        to = {line.letter.id: line.letter.to for line in self._lines if line.letter.kind is Kind.REQUEST}
        self._call(self._name.partition("#")[2], self._port.name.partition("#")[2])
        recorded: list[Envelope] = []
        expected: Counter[object] = Counter()
        for letter in (line.letter for line in self._lines):
            if self._said(letter):
                if letter.session and letter.session not in self._now:
                    self._call(letter.session, begin())
                recorded.append(letter)
                self._heard.letters.append(self._say(letter))
            elif (letter.kind in (Kind.PART, Kind.REPLY) and letter.re in own) or letter.to in self._topics:
                recorded.append(letter)
                place = letter.re or (letter.to, letter.session)
                expected[place] += 1
                if not await self._heard.until(place, expected[place]):
                    break
                self._learn(letter, self._came[place][expected[place] - 1])
            elif is_lost(letter):
                end(to[letter.re])
        await settle()
        await self._port.close()
        return compare(recorded, self._heard.letters)

    def _said(self, letter: Envelope) -> bool:
        return letter.sender == self._name and letter.to != OWN

    def _say(self, letter: Envelope) -> Envelope:
        def other(found: re.Match[str]) -> str:
            port, dot, number = found[0].partition(".")
            return self._now.get(found[0]) or f"{self._now.get(port, port)}{dot}{number}"

        said = from_json(ID.sub(other, to_json(letter).decode()).encode())
        self._port.send(said)
        return said

    def _hear(self, letter: Envelope) -> None:
        if not letter.re and letter.session and letter.session not in self._then:
            return
        port, _, number = letter.re.rpartition(".")
        place = f"{self._name}.{number}" if port else (letter.to, self._then.get(letter.session, ""))
        self._came[place].append(letter)
        self._heard.note(letter, place)

    def _learn(self, then: Envelope, now: Envelope) -> None:
        old, new = to_json(then).decode(), to_json(now).decode()
        if ID.split(old) == ID.split(new):
            for name, other in zip(ID.findall(old), ID.findall(new), strict=True):
                self._call(name, other)

    def _call(self, then: str, now: str) -> None:
        self._now.setdefault(then, now)
        self._then.setdefault(now, then)
