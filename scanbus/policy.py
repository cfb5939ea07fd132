"""What to start, restart, give up on and stop, and in which order: without it, one crash would be the end."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

MAIN = "main"
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Before the first, second, .. restart within `WINDOW_S`; one exit more and the process is given up."""
WINDOW_S = 60.0
PROBE_S = 60.0
"""How long a process that was given up is left alone before it is tried once."""
GRACE_S = 5.0
"""How long a process may take to finish its work after it was asked to end."""


class Start(Struct, frozen=True):
    """Start this process."""

    name: str


class Drain(Struct, frozen=True):
    """Ask this process to finish its work and end."""

    name: str


class Kill(Struct, frozen=True):
    """End this process now."""

    name: str


class GiveUp(Struct, frozen=True):
    """Tell everybody that this process will not be started again soon."""

    name: str
    reason: str


class Restored(Struct, frozen=True):
    """Tell everybody that this process, once given up, works again."""

    name: str


class Done(Struct, frozen=True):
    """Nothing runs any more; `failure` says why if nobody asked for it."""

    failure: str = ""


Action = Start | Drain | Kill | GiveUp | Restored | Done


class _Process(Struct):
    running: bool = False
    ready: bool = False
    again: bool = False
    """It was asked for while it was leaving."""
    ending: bool = False
    given_up: str = ""
    """Why, if it was."""
    killed: str = ""
    """Why, if it was."""
    exits: list[float] = []
    due: float | None = None
    """When to kill it, if it runs and gives no sign until then; when to start it, if it does not run."""


class Policy:
    """The rules of supervision: things that happened in, things to do out, time (seconds of any clock) passed in."""

    def __init__(self, table: Mapping[str, Sequence[str]], *, silence_s: float) -> None:
        self._table = table
        self._silence_s = silence_s
        self._processes: dict[str, _Process] = {}
        self._draining = False
        self._was_ready = False
        self._failure = ""

    def process_of(self, service: str) -> str:
        """The process that serves a service: `driver/sane:test:0` for that instance of it; empty if none shall."""
        kind, slash, instance = service.partition("/")
        return next((name + slash + instance for name, kinds in self._table.items() if kind in kinds), "")

    def services_of(self, name: str) -> list[str]:
        """What a process serves."""
        process, slash, instance = name.partition("/")
        return [kind + slash + instance for kind in self._table.get(process, ())]

    @property
    def running(self) -> list[str]:
        """The names of the processes that run now."""
        return [name for name, process in self._processes.items() if process.running]

    @property
    def given_up(self) -> dict[str, str]:
        """The processes that were given up, and why."""
        return {name: process.given_up for name, process in self._processes.items() if process.given_up}

    def begin(self, now: float) -> list[Action]:
        """The service begins: main runs, everything else waits until it is wanted."""
        return [self._start(MAIN, now)]

    def wanted(self, service: str, now: float) -> list[Action]:
        """A letter waits for a service that nobody serves."""
        name = self.process_of(service)
        if self._draining or not name:
            return []
        process = self._processes.setdefault(name, _Process())
        if process.running:
            process.again = process.ready
            return []
        return [] if process.due is not None else [self._start(name, now)]

    def alive(self, name: str, now: float) -> list[Action]:
        """A process is ready. Main says so again and again, and must go on to: the others are watched by main."""
        process = self._processes[name]
        process.ready = True
        if process.ending:
            return []
        process.due = now + self._silence_s if name == MAIN else None
        self._was_ready = self._was_ready or name == MAIN
        if not process.given_up:
            return []
        process.given_up = ""
        return [Restored(name)]

    def lost(self, name: str, why: str) -> list[Action]:
        """Main says that a process must be ended. Main itself is judged by `alive` alone."""
        if name not in self.running or name == MAIN:
            return []
        self._processes[name].killed = why
        return [Kill(name)]

    def exited(self, name: str, code: int, now: float, why: str = "") -> list[Action]:
        """A process has ended, with an exit code or with minus the number of a signal; `why` are its own words."""
        process = self._processes[name]
        process.running, process.due = False, None
        if self._draining:
            return self._stop(now)
        if code == 0 and process.ready and name != MAIN:
            if process.again:
                return [self._start(name, now)]
            del self._processes[name]
            return []
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
        if name == MAIN and not self._was_ready:
            self._failure = why or f"The main process {how} before it was ready; the log above says why."
            return self.drain(now)
        process.exits = [*(when for when in process.exits if now - when < WINDOW_S), now]
        if process.given_up:
            process.due = now + PROBE_S
            return []
        if len(process.exits) > len(PAUSES_S):
            often = f"it {how}, the {len(process.exits)}th time within {WINDOW_S:.0f} seconds"
            why = why or process.killed
            process.given_up = f"{often}: {why}" if why else often
            process.given_up = process.given_up.removesuffix(".") + "."
            process.due = now + PROBE_S
            return [GiveUp(name, process.given_up)]
        process.due = now + PAUSES_S[len(process.exits) - 1]
        return [self._start(name, now)] if process.due == now else []

    def drain(self, now: float) -> list[Action]:
        """Stop: on-demand processes first, main last, each with the time to finish its work."""
        self._draining = True
        return self._stop(now)

    def interrupt(self, now: float) -> list[Action]:
        """A person wants it to stop: the first time it drains, the second time it ends at once."""
        return [Kill(name) for name in self.running] if self._draining else self.drain(now)

    def tick(self, now: float) -> list[Action]:
        """Time has passed."""
        actions: list[Action] = []
        for name, process in self._processes.items():
            if process.due is None or process.due > now:
                continue
            if process.running:
                process.due = None
                process.killed = process.killed or f"it gave no sign of life for {self._silence_s:g} seconds"
                actions.append(Kill(name))
            else:
                actions.append(self._start(name, now))
        return actions

    def next_due(self) -> float | None:
        """When `tick` has something to do; None while it has nothing."""
        return min((process.due for process in self._processes.values() if process.due is not None), default=None)

    def _start(self, name: str, now: float) -> Start:
        process = self._processes.setdefault(name, _Process())
        process.running, process.ready, process.again, process.due = True, False, False, now + self._silence_s
        process.killed = ""
        return Start(name)

    def _stop(self, now: float) -> list[Action]:
        self._processes = {name: process for name, process in self._processes.items() if process.running}
        if not self._processes:
            return [Done(self._failure)]
        ending = [name for name in self._processes if name != MAIN] or [MAIN]
        actions: list[Action] = []
        for name in ending:
            process = self._processes[name]
            if not process.ending:
                process.ending, process.due = True, now + GRACE_S
                actions.append(Drain(name))
        return actions
