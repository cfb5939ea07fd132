"""kill -9 at random moments of a long scan: without it, nobody would know what a crash costs."""

import json
import math
import os
import random
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import NamedTuple

from scanbus.client import ScannerError
from tests.system.conftest import Service
from tests.torture.person import BROKEN_OFF, PATIENCE_S, POLL_S, Paper, Person
from tests.torture.probe import Probe

DEVICE = "virtual:stack"
PROCESSES = {"main": "main", "device": f"driver/{DEVICE}", "pdf": "pdf"}
"""Which process a victim is; `monitor` is the parent of all, `all` are they and the monitor at once."""
VICTIMS = [*PROCESSES, "monitor", "all"]
KILLS_MONITOR = {"monitor", "all"}
KILLS_MAIN = {"main"} | KILLS_MONITOR
STOPS_SCANS = {"device"} | KILLS_MAIN
PAGES_PER_MINUTE = 1200
AGAIN_S = 1.5
"""Within so much time after 95 % of the kills, HTTP answers again."""
HASTY = 6
"""One blow of so many falls before the last one is got over."""
START_S = 5.0
"""How long a victim may take to be there."""
PDFS = 5
"""During one blow of so many, a PDF is being made."""


class Blow(NamedTuple):
    """One kill."""

    victim: str
    after_s: float
    hasty: bool
    with_pdf: bool


class Struck(NamedTuple):
    """What a blow did."""

    victim: str
    """Who it really was: one that does not run cannot be killed, and main is killed instead."""
    at_s: float


class Silence(NamedTuple):
    """How long HTTP did not answer after a kill."""

    victim: str
    lasted_s: float


def blows(seed: int, count: int, within_s: float) -> Iterator[Blow]:
    """Everybody is a victim equally often, in any order, so that hardly ever a pause before a restart is long."""
    chance = random.Random(seed)
    for number in range(count):
        if number % len(VICTIMS) == 0:
            order = chance.sample(VICTIMS, len(VICTIMS))
        victim = order[number % len(VICTIMS)]
        hasty = number > 0 and chance.randrange(HASTY) == 0
        with_pdf = victim == "pdf" or chance.randrange(PDFS) == 0
        yield Blow(victim, chance.uniform(0, within_s / (3 if hasty else 1)), hasty, with_pdf)


class Striker(threading.Thread):
    """Kills after a while."""

    def __init__(self, service: Service, blow: Blow) -> None:
        super().__init__(daemon=True)
        self._service = service
        self._blow = blow
        self.over = threading.Event()
        self.struck: Struck | None = None

    def run(self) -> None:
        self.over.wait(self._blow.after_s)
        try:
            self.struck = self._strike(self._blow.victim)
        finally:
            self.over.set()

    def _strike(self, victim: str) -> Struck:
        if victim in KILLS_MONITOR:
            others = self._service.processes().values() if victim == "all" else ()
            victims = [self._service.monitor, *others]
        else:
            pid = self._wait_for(PROCESSES[victim])
            if not pid:
                victim = "main"
                pid = self._wait_for(PROCESSES[victim])
            victims = [pid]
        at_s = monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        return Struck(victim, at_s)

    def _wait_for(self, name: str) -> int:
        deadline_s = monotonic() + START_S
        while name not in (processes := self._service.processes()) and monotonic() < deadline_s:
            sleep(POLL_S)
        return processes.get(name, 0)


class Making(threading.Thread):
    """Makes a PDF."""

    def __init__(self, person: Person, target: Path) -> None:
        super().__init__(daemon=True)
        self._person = person
        self._target = target
        self.wrong = f"it is not made within {PATIENCE_S} s"

    def run(self) -> None:
        try:
            # What is edited meanwhile may be a page that was to be in it.
            code = self._person.make_pdf(self._target)
            self.wrong = "" if code in ("", "no_pages", "not_found", *BROKEN_OFF) else code
        except AssertionError as error:
            self.wrong = str(error)


class Killing:
    """A service whose processes are killed while a person scans stack after stack with it."""

    def __init__(self, folder: Path, seed: int, sheets: int, within_s: float = 3.0) -> None:
        """`within_s`: how long it lasts until the next blow, at most."""
        self._folder = folder
        self._seed = seed
        self._within_s = within_s
        self._paper = Paper(folder / "paper", sheets)
        self._chance = random.Random(f"person {seed}")
        self.silences: list[Silence] = []
        self.refused = 0
        """Connections, while the monitor lived."""
        self.stacks = 0
        """How many were scanned to the end."""

    def tries(self, count: int) -> Iterator[tuple[str, str]]:
        """What was done each time, and what is wrong then ("": nothing)."""
        plan = list(blows(self._seed, count, self._within_s))
        self._begin(0)
        try:
            for number, blow in enumerate(plan):
                last = number + 1 == count
                wrong = self._try(blow, then_hasty=not last and plan[number + 1].hasty)
                if wrong and not last:
                    self._end()
                    self._begin(number + 1)
                elif last:
                    wrong = wrong or self._last()
                yield f"{number}: {blow}", wrong
        finally:
            self._end()

    def figures(self) -> list[str]:
        """How long HTTP was silent, by victims."""
        told = []
        for victim in VICTIMS:
            times = self._silences_s({victim})
            if times:
                told.append(
                    f"{victim} killed {len(times)} times: HTTP answers again after {median(times):.2f} s (median), "
                    f"{_p95(times):.2f} s (95 %), {times[-1]:.2f} s (longest)"
                )
        told.append(f"{self.refused} connections refused while the monitor lived; {self.stacks} stacks scanned")
        return told

    def late(self) -> bool:
        """Whether HTTP took too long to answer again where the monitor lived."""
        return _p95(self._silences_s({*PROCESSES})) > AGAIN_S

    def _silences_s(self, victims: set[str]) -> list[float]:
        return sorted(each.lasted_s for each in self.silences if each.victim in victims)

    def _begin(self, number: int) -> None:
        scanner = {"name": "stack", "folder": str(self._paper.folder), "tray": True}
        scanner["pages_per_minute"] = PAGES_PER_MINUTE
        folder = self._folder / f"service-{number}"
        folder.mkdir()
        self._service = Service(folder, SCANBUS_DEVICE__VIRTUAL=json.dumps([scanner]))
        self._service.said = folder / "said"
        self._service.start()
        self._probe = Probe(self._service.url)
        self._probe.start()
        self._up_since_s = monotonic()
        self._struck: set[str] = set()
        self._person = Person(self._service.url, DEVICE, self._paper, self._chance)

    def _try(self, blow: Blow, *, then_hasty: bool) -> str:
        try:
            self._strike(blow, then_hasty=then_hasty)
        except (AssertionError, ScannerError, OSError, HTTPException) as error:
            kept = Path(tempfile.mkdtemp(prefix="kills-"))
            # The pages are too many.
            shutil.copytree(self._service.folder, kept / "service", ignore=shutil.ignore_patterns("run", "pages"))
            return f"{type(error).__name__}: {error}; before: {'; '.join(self._person.history[-12:])}; see {kept}"
        return ""

    def _strike(self, blow: Blow, *, then_hasty: bool) -> None:
        person = self._person
        making = Making(person, self._folder / "some.pdf") if blow.with_pdf else None
        if making is not None:
            making.start()
        striker = Striker(self._service, blow)
        striker.start()
        broken = False
        if blow.hasty:
            try:
                self._come_back()
            except (ScannerError, OSError, HTTPException) as error:
                assert not isinstance(error, ScannerError) or error.code in BROKEN_OFF, f"{error.code} {error}"
                broken = True
        broken = person.wait(striker.over) or broken
        assert striker.struck is not None
        victim, at_s = striker.struck
        self._struck.add(victim)
        person.note(f"{victim} killed at page {person.witness.top}")
        assert not broken or self._struck & KILLS_MAIN, "a connection broke, and nobody of main's was killed"
        self._get_up(victim, at_s)
        if making is not None:
            making.join(PATIENCE_S)
            assert not making.wrong, f"a PDF: {making.wrong}"
        if then_hasty:
            return
        goes_on = self._come_back()
        if blow.victim == "pdf":
            code = person.make_pdf(self._folder / "some.pdf")
            assert code in ("", "no_pages"), f"there is no PDF afterwards: {code}"
        if not goes_on:
            person.finish()
            self.stacks += 1
            self._person = Person(self._service.url, DEVICE, self._paper, self._chance)

    def _get_up(self, victim: str, at_s: float) -> None:
        """Start again what does not by itself, and hear when HTTP answers."""
        if victim in KILLS_MONITOR:
            self.refused += self._probe.refused(self._up_since_s, at_s)
            assert self._service.process is not None
            self._service.process.wait(PATIENCE_S)
            self._service.start()
            self._up_since_s = monotonic()
        self.silences.append(Silence(victim, self._probe.answers_after(at_s)))
        now_s = monotonic()
        self.refused += self._probe.refused(self._up_since_s, now_s)
        self._up_since_s = now_s

    def _come_back(self) -> bool:
        """Whether the scan goes on."""
        struck = self._struck
        goes_on = self._person.come_back(stopped=bool(struck & STOPS_SCANS), cut_off=bool(struck & KILLS_MAIN))
        self._struck = set()
        return goes_on

    def _last(self) -> str:
        """What is wrong with what is left when the last stack is through, its session closed and the service ended."""
        try:
            if self._come_back():
                self._person.hear_out()
            self._person.finish()
        except (AssertionError, ScannerError, OSError) as error:
            return f"undisturbed: {error}"
        pages = [path.name for path in (self._service.folder / "state" / "pages").rglob("*") if path.is_file()]
        code = self._service.stop()
        left = self._service.of_this_service()
        return f"left: {pages}, {left}, {code}" if pages or left or code else ""

    def _end(self) -> None:
        self._probe.end()
        for pid in self._service.of_this_service():
            os.kill(pid, signal.SIGKILL)


def _p95(times: list[float]) -> float:
    return times[math.ceil(0.95 * len(times)) - 1] if times else 0.0
