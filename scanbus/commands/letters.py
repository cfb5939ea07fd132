"""How a trace looks to a person: one letter a line, indented by what it follows from."""

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import msgspec

from bus.trace import Filter, Line, Trace, line_of
from schemas.envelope import Envelope, Kind
from schemas.errors import Invalid, NotFound

COLUMNS = 100
NAMES = 14
INDENTS = 6
BEATS = ("bus.register", "bus.registered")


class Reading:
    """What the lines of one trace say about each other."""

    def __init__(self, lines: list[Line]) -> None:
        self.requests = {line.letter.id: line for line in lines if line.letter.kind is Kind.REQUEST}
        self._services: dict[str, str] = {}
        self._depths: dict[str, int] = {}
        for letter in (line.letter for line in lines):
            above = letter.re if letter.re in self._depths else letter.trace
            self._depths[letter.id] = self._depths.get(above, -1) + 1
            body = self.body(letter)
            if body.get("type") == "bus.register" and body.get("services"):
                self._services[letter.sender] = str(body["services"][0])
            elif letter.sender != "bus" and letter.kind in (Kind.PART, Kind.REPLY, Kind.EVENT):
                self._services.setdefault(letter.sender, self._answering(letter))

    def depth(self, letter: Envelope) -> int:
        """How many causes it has."""
        return self._depths[letter.id]

    def body(self, letter: Envelope) -> dict[str, Any]:
        """What it says; whatever is no message says nothing."""
        body = msgspec.msgpack.decode(letter.body)
        return body if isinstance(body, dict) else {}

    def tag(self, letter: Envelope) -> str:
        """The message's, or that of the request that a cancel is about."""
        if letter.kind is Kind.CANCEL and letter.re in self.requests:
            return self.tag(self.requests[letter.re].letter)
        return str(self.body(letter).get("type", "?"))

    def _answering(self, letter: Envelope) -> str:
        """The service that a part, a reply or an event comes from, in a trace that does not show it register."""
        if letter.re in self.requests:
            return self.requests[letter.re].letter.to
        process = letter.sender.partition("#")[0]
        service = self.tag(letter).partition(".")[0]
        return process if process.startswith(service) or service in ("bus", "?") else service

    def sender(self, letter: Envelope) -> str:
        """The service that wrote it, where the trace tells, else its process."""
        return self._services.get(letter.sender, letter.sender.partition("#")[0])

    def receiver(self, letter: Envelope) -> str:
        """Whom it is for; events are for whoever listens."""
        if letter.kind is Kind.EVENT:
            return "all"
        if letter.kind is not Kind.REQUEST and letter.re in self.requests:
            asked = self.requests[letter.re].letter
            return asked.to if letter.kind is Kind.CANCEL else self.sender(asked)
        return self._services.get(letter.to, letter.to.partition("#")[0])


def shown(trace: Trace, arguments: Namespace) -> Iterator[str]:
    """A trace in columns: line, seconds, kind, from, to, and the message, indented by what it follows from."""
    reading = Reading(trace.lines)
    picked = Filter(arguments.session, arguments.service)
    follows = _causes(trace, arguments.cause)
    beats = 0
    for number, line in enumerate(trace.lines, 2):
        letter = line.letter
        if not picked.picks(letter) or not _follows(letter, follows) or arguments.kind not in (None, letter.kind):
            continue
        if reading.tag(letter) in BEATS and not arguments.beats:
            beats += 1
            continue
        text = _columns(number, line, reading)
        if arguments.full:
            yield text.rstrip()
            yield f"{'':6}{line_of(line.t, letter, {}).decode().rstrip()}"
        else:
            said = {name: value for name, value in reading.body(letter).items() if name != "type"}
            text += f" {json.dumps(said, ensure_ascii=False, separators=(',', ':'))}" if said else ""
            yield text if len(text) <= COLUMNS else f"{text[: COLUMNS - 1]}…"
    if beats:
        yield f"{count(beats, 'heartbeat')} left out; --beats shows them."
    if trace.broken:
        yield trace.broken


def _columns(number: int, line: Line, reading: Reading) -> str:
    letter = line.letter
    indent = "  " * min(reading.depth(letter), INDENTS)
    route = f"{_cut(reading.sender(letter)):{NAMES}} > {_cut(reading.receiver(letter)):{NAMES}}"
    return f"{number:4} {line.t:8.3f} {letter.kind:7} {route} {indent}{reading.tag(letter)}"


def _causes(trace: Trace, cause: str) -> set[str] | None:
    """The letters that are followed so far, by id; None follows all."""
    if not cause:
        return None
    if cause.isdecimal():
        if not 2 <= int(cause) < len(trace.lines) + 2:
            raise Invalid(f"There is no line {cause} in this trace: its letters are lines 2 to {len(trace.lines) + 1}.")
        return {trace.lines[int(cause) - 2].letter.id}
    if cause not in {line.letter.id for line in trace.lines}:
        raise NotFound(f"There is no letter {cause!r} in this trace; the numbers that are shown will do, too.")
    return {cause}


def _follows(letter: Envelope, follows: set[str] | None) -> bool:
    if follows is None:
        return True
    if letter.id in follows or letter.re in follows or letter.trace in follows:
        follows.add(letter.id)
        return True
    return False


def _cut(name: str) -> str:
    # The end tells two scanners apart.
    return name if len(name) <= NAMES else f"…{name[1 - NAMES :]}"


def count(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"
