"""Who gets which letter: services, slots, queues, deadlines, retries. Pure: letters and the time in, actions out."""

from collections import deque
from collections.abc import Callable

from msgspec import Struct, field

from bus.codec import BodyDecoder, encode_body
from schemas.bus import GetStatus, Register, Registered, ServiceChanged, ServiceState, Status
from schemas.envelope import Envelope, Kind
from schemas.errors import (
    Busy,
    Canceled,
    Conflict,
    DeadlineExceeded,
    Denied,
    Invalid,
    Lost,
    NotFound,
    ScanbusError,
    Unavailable,
)
from schemas.message import Message, tag_of

STOP_GRACE_S = 10.0
"""How long a worker may take to end a request that was cancelled."""


class Deliver(Struct, frozen=True):
    """Give this letter to this peer."""

    peer: str
    letter: Envelope


class Publish(Struct, frozen=True):
    """Give this event to whoever listens to its topic."""

    letter: Envelope


class Wanted(Struct, frozen=True):
    """Letters wait for this service and nobody serves it: start it."""

    service: str


class Unfit(Struct, frozen=True):
    """This peer gives no sign of life, does not stop when told to, or says too much: end it."""

    peer: str
    reason: str
    """What a person reads, without a full stop."""


Action = Deliver | Publish | Wanted | Unfit


class Job(Struct):
    """A request that has no final reply yet."""

    letter: Envelope
    asker: str
    deadline: float
    worker: str = ""
    """Empty while it waits in a queue."""
    tries: int = 0
    parts: int = 0
    canceled: bool = False


class Worker(Struct):
    """A peer that has registered."""

    services: tuple[str, ...]
    slots: int
    seen: float
    jobs: set[str] = field(default_factory=set)
    stopping: dict[str, float] = field(default_factory=dict)
    """Requests that it was told to stop, and until when it may take: they still occupy their slots."""

    @property
    def free(self) -> int:
        """Slots that a request can be given to."""
        return self.slots - len(self.jobs) - len(self.stopping)


class Service(Struct):
    """What waits for a service."""

    queue: deque[str] = field(default_factory=deque)
    wanted_at: float = -1.0
    """When its start was asked for; negative while it was not."""
    failed: str = ""


class Router:
    """The broker's rules.

    `known` says whether a service of that name can exist, `startable` whether it can be started on demand, `may_serve`
    whether a peer may register it.
    """

    def __init__(
        self,
        name: str,
        *,
        known: Callable[[str], bool],
        startable: Callable[[str], bool],
        may_serve: Callable[[str, str], bool] = lambda peer, service: True,
        queue_letters: int = 1000,
        lost_after_s: float = 3.0,
        start_timeout_s: float = 10.0,
    ) -> None:
        self.name = name
        self._known = known
        self._startable = startable
        self._may_serve = may_serve
        self._queue_letters = queue_letters
        self._lost_after_s = lost_after_s
        self._start_timeout_s = start_timeout_s
        self._jobs: dict[str, Job] = {}
        self._workers: dict[str, Worker] = {}
        self._services: dict[str, Service] = {}
        self._counter = 0
        self._own = BodyDecoder((Register, GetStatus))

    def receive(self, peer: str, letter: Envelope, now: float) -> list[Action]:
        """Take one letter from one peer."""
        worker = self._workers.get(peer)
        if worker is not None:
            worker.seen = now
        match letter.kind:
            case Kind.REQUEST if letter.to == "bus":
                return self._answer(peer, letter, now)
            case Kind.REQUEST:
                return self._request(peer, letter, now)
            case Kind.PART:
                return self._part(peer, letter)
            case Kind.REPLY:
                return self._reply(peer, letter, now)
            case Kind.CANCEL:
                return self._cancel(peer, letter.re, now)
            case Kind.EVENT:
                return [Publish(letter)]

    def unfit(self, peer: str, reason: str, now: float) -> list[Action]:
        """A peer must be ended; for everybody else it has left."""
        return [Unfit(peer, reason), *self.gone(peer, now)]

    def gone(self, peer: str, now: float) -> list[Action]:
        """A peer has left: what it worked on is retried or lost, what it asked for is stopped."""
        actions: list[Action] = []
        for key in [key for key, job in self._jobs.items() if job.asker == peer]:
            actions += self._abandon(key, now)
        worker = self._workers.pop(peer, None)
        if worker is None:
            return actions
        for key in sorted(worker.jobs):
            actions += self._lose(key)
        for name in worker.services:
            actions += self._dispatch(name, now)
            if "/" not in name and not self._serving(name):
                actions.append(self._changed(name, available=False))
        return actions

    def tick(self, now: float) -> list[Action]:
        """Let time pass: deadlines, silent workers, services that did not start."""
        actions: list[Action] = []
        for key in [key for key, job in self._jobs.items() if job.deadline <= now]:
            error = Canceled() if self._jobs[key].canceled else DeadlineExceeded()
            actions += self._give_up(key, error, now)
        for peer, worker in list(self._workers.items()):
            if worker.free <= 0 and any(until <= now for until in worker.stopping.values()):
                actions += self.unfit(peer, f"it did not stop its work within {STOP_GRACE_S:g} seconds", now)
            elif worker.seen + self._lost_after_s <= now:
                silent = f"it gave no sign of life for {self._lost_after_s:g} seconds"
                serves = worker.services or worker.jobs
                actions += self.unfit(peer, silent, now) if serves else self.gone(peer, now)
        for name, service in self._services.items():
            if 0 <= service.wanted_at <= now - self._start_timeout_s and service.queue:
                service.wanted_at = -1.0
                actions += self._fail_queue(service, Unavailable(late_start(name)))
        return actions

    def gave_up(self, name: str, reason: str) -> list[Action]:
        """A service will not be started again soon: whoever waits for it is told so."""
        service = self._service(name)
        service.failed = reason
        service.wanted_at = -1.0
        return self._fail_queue(service, Unavailable(not_running(name, reason)))

    def restored(self, name: str) -> list[Action]:
        """A service may be asked for again."""
        self._service(name).failed = ""
        return []

    def failed(self) -> dict[str, str]:
        """The services that were given up, and why."""
        return {name: service.failed for name, service in self._services.items() if service.failed}

    def status(self) -> Status:
        """What runs now."""
        names = {name for worker in self._workers.values() for name in worker.services}
        names |= {name for name, service in self._services.items() if service.queue or service.failed}
        return Status(broker=self.name, services=[self._state(name) for name in sorted(names)])

    def refuse(self, peer: str, error: ScanbusError, re: str = "") -> Deliver:
        """A final reply that says no."""
        return Deliver(peer, self._letter(Kind.REPLY, error.failure(), re=re))

    def _request(self, peer: str, letter: Envelope, now: float) -> list[Action]:
        if not letter.id or letter.ttl <= 0 or not letter.ttl < float("inf"):
            return [self.refuse(peer, Invalid("A request needs an id and a ttl above 0."), letter.id)]
        if letter.id in self._jobs:
            return [self.refuse(peer, Conflict(f"A request with the id {letter.id!r} is open already."), letter.id)]
        if not self._known(letter.to) and not self._serving(letter.to):
            return [self.refuse(peer, NotFound(f"There is no service {letter.to!r}."), letter.id)]
        service = self._service(letter.to)
        if service.failed and not self._serving(letter.to):
            return [self.refuse(peer, Unavailable(not_running(letter.to, service.failed)), letter.id)]
        waiting = len(service.queue)
        # The last quarter is for those who have asked for little: nobody can fill it alone.
        own = self._queue_letters - self._queue_letters // 4
        if waiting >= self._queue_letters or (waiting >= own and self._waiting(service, peer) >= own):
            return [self.refuse(peer, Busy(f"{waiting} requests wait for {letter.to!r}."), letter.id)]
        self._jobs[letter.id] = Job(letter, peer, now + letter.ttl)
        service.queue.append(letter.id)
        return self._dispatch(letter.to, now)

    def _waiting(self, service: Service, peer: str) -> int:
        return sum(self._jobs[key].asker == peer for key in service.queue)

    def _dispatch(self, name: str, now: float) -> list[Action]:
        service = self._services.get(name)
        if service is None:
            return []
        actions: list[Action] = []
        serving = self._serving(name)
        while service.queue and serving:
            peer = max(serving, key=lambda peer: self._workers[peer].free)
            if self._workers[peer].free <= 0:
                break
            key = service.queue.popleft()
            job = self._jobs[key]
            job.worker, job.tries = peer, job.tries + 1
            self._workers[peer].jobs.add(key)
            letter = job.letter
            remaining = Envelope(
                id=letter.id,
                kind=Kind.REQUEST,
                to=letter.to,
                sender=letter.sender,
                re=letter.re,
                trace=letter.trace,
                session=letter.session,
                ttl=max(job.deadline - now, 0.001),
                tries=letter.tries,
                body=letter.body,
            )
            actions.append(Deliver(peer, remaining))
        if serving:
            service.wanted_at = -1.0
        elif service.queue and service.wanted_at < 0:
            service.wanted_at = now
            if self._startable(name):
                actions.append(Wanted(name))
        return actions

    def _part(self, peer: str, letter: Envelope) -> list[Action]:
        job = self._jobs.get(letter.re)
        if job is None or job.worker != peer:
            return []
        job.parts += 1
        return [Deliver(job.asker, letter)]

    def _reply(self, peer: str, letter: Envelope, now: float) -> list[Action]:
        worker = self._workers.get(peer)
        job = self._jobs.get(letter.re)
        actions: list[Action] = []
        if job is not None and job.worker == peer:
            del self._jobs[letter.re]
            actions.append(Deliver(job.asker, letter))
        if worker is None:
            return actions
        worker.jobs.discard(letter.re)
        worker.stopping.pop(letter.re, None)
        for name in worker.services:
            actions += self._dispatch(name, now)
        return actions

    def _cancel(self, peer: str, key: str, now: float) -> list[Action]:
        job = self._jobs.get(key)
        if job is None or job.asker != peer or job.canceled:
            return []
        if not job.worker:
            return self._give_up(key, Canceled(), now)
        job.canceled = True
        job.deadline = min(job.deadline, now + STOP_GRACE_S)
        return [Deliver(job.worker, self._letter(Kind.CANCEL, re=key))]

    def _give_up(self, key: str, error: ScanbusError, now: float) -> list[Action]:
        asker = self._jobs[key].asker
        return [self.refuse(asker, error, key), *self._abandon(key, now)]

    def _abandon(self, key: str, now: float) -> list[Action]:
        job = self._jobs.pop(key)
        if not job.worker:
            self._services[job.letter.to].queue.remove(key)
            return []
        worker = self._workers[job.worker]
        worker.jobs.discard(key)
        worker.stopping[key] = now + STOP_GRACE_S
        return [Deliver(job.worker, self._letter(Kind.CANCEL, re=key))]

    def _lose(self, key: str) -> list[Action]:
        job = self._jobs[key]
        if job.tries < job.letter.tries and not job.parts and not job.canceled:
            job.worker = ""
            self._service(job.letter.to).queue.appendleft(key)
            return []
        del self._jobs[key]
        return [self.refuse(job.asker, Canceled() if job.canceled else Lost(), key)]

    def _fail_queue(self, service: Service, error: ScanbusError) -> list[Action]:
        keys = list(service.queue)
        service.queue.clear()
        return [self.refuse(self._jobs.pop(key).asker, error, key) for key in keys]

    def _answer(self, peer: str, letter: Envelope, now: float) -> list[Action]:
        try:
            message = self._own.decode(letter.body)
        except Invalid as error:
            return [self.refuse(peer, error, letter.id)]
        if isinstance(message, Register):
            return self._register(peer, message, letter.id, now)
        return [Deliver(peer, self._letter(Kind.REPLY, self.status(), re=letter.id))]

    def _register(self, peer: str, message: Register, re: str, now: float) -> list[Action]:
        foreign = [name for name in message.services if not self._may_serve(peer, name)]
        if foreign:
            return [
                self.refuse(
                    peer,
                    Denied(f"The service {foreign[0]!r} belongs to another process: see the setting `processes`."),
                    re,
                )
            ]
        worker = self._workers.setdefault(peer, Worker((), 0, now))
        before, worker.services, worker.slots = worker.services, tuple(message.services), message.slots
        actions: list[Action] = [Deliver(peer, self._letter(Kind.REPLY, Registered(broker=self.name), re=re))]
        for name in sorted(set(worker.services) ^ set(before)):
            if "/" not in name and self._serving(name) in ([peer], []):
                actions.append(self._changed(name, available=name in worker.services))
            if name in worker.services:
                self._service(name).failed = ""
        for name in {*worker.services, *before}:
            actions += self._dispatch(name, now)
        return actions

    def _serving(self, name: str) -> list[str]:
        return [peer for peer, worker in self._workers.items() if name in worker.services]

    def _service(self, name: str) -> Service:
        return self._services.setdefault(name, Service())

    def _state(self, name: str) -> ServiceState:
        workers = [worker for worker in self._workers.values() if name in worker.services]
        service = self._service(name)
        return ServiceState(
            service=name,
            workers=len(workers),
            slots=sum(worker.slots for worker in workers),
            busy=sum(1 for job in self._jobs.values() if job.worker and job.letter.to == name),
            queued=len(service.queue),
            failed=service.failed,
        )

    def _changed(self, name: str, *, available: bool) -> Publish:
        event = ServiceChanged(service=name, available=available)
        return Publish(self._letter(Kind.EVENT, event, to=tag_of(event)))

    def _letter(self, kind: Kind, body: Message | None = None, *, to: str = "", re: str = "") -> Envelope:
        self._counter += 1
        key = f"{self.name}.{self._counter}"
        if body is None:
            return Envelope(id=key, kind=kind, to=to, sender="bus", re=re)
        return Envelope(id=key, kind=kind, to=to, sender="bus", re=re, body=encode_body(body))


def late_start(name: str) -> str:
    """What a person reads when a service takes too long to start."""
    return f"The service {name!r} did not start in time. Try again; `scanbus status` tells if and why it was given up."


def not_running(name: str, reason: str) -> str:
    """What a person reads when a service was given up."""
    return f"The service {name!r} is not running: {reason} The rest works on; `scanbus status` shows it."
