"""The router's promises, for all orders of letters, losses and time."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bus.codec import BodyDecoder, encode_body
from bus.router import STOP_GRACE_S, Action, Deliver, Router
from schemas.bus import Register, Registered, Status
from schemas.envelope import Envelope, Kind
from schemas.errors import Failure

ASKERS = ("page", "cli")
WORKERS = ("w1", "w2", "w3")
SERVICES = ("ocr", "pdf")
START_S = 10.0
LOST_S = 3.0


class RouterPromises(RuleBasedStateMachine):
    """Plays askers and workers, and writes down what the router tells each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.router = Router(
            "broker",
            known=lambda to: to in SERVICES,
            startable=lambda to: to == "pdf",
            queue_letters=5,
            lost_after_s=LOST_S,
            start_timeout_s=START_S,
        )
        self.now = 0.0
        self.counter = 0
        self.asked: dict[str, tuple[str, float, float]] = {}  # id -> asker, deadline, when it was asked
        self.finals: Counter[str] = Counter()
        self.after_final: list[str] = []
        self.strangers: list[str] = []
        self.working: dict[str, set[str]] = {worker: set() for worker in WORKERS}
        self.given: dict[str, str] = {}  # id -> the worker that has it
        self.attempts: Counter[str] = Counter()
        self.tries: dict[str, int] = {}
        self.slots: dict[str, int] = {}

    def play(self, actions: list[Action]) -> None:
        for action in actions:
            if not isinstance(action, Deliver):
                continue
            letter, peer = action.letter, action.peer
            if letter.kind is Kind.REQUEST:
                assert peer in self.working
                self.working[peer].add(letter.id)
                self.given[letter.id] = peer
                self.attempts[letter.id] += 1
                assert letter.ttl > 0
            elif letter.kind in (Kind.PART, Kind.REPLY) and letter.re in self.asked:
                if self.asked[letter.re][0] != peer:
                    self.strangers.append(letter.re)
                if self.finals[letter.re]:
                    self.after_final.append(letter.re)
                if letter.kind is Kind.REPLY:
                    self.finals[letter.re] += 1

    def say(self, peer: str, kind: Kind, *, to: str = "", re: str = "", ttl: float = 0.0, tries: int = 1) -> str:
        self.counter += 1
        key = f"{peer}.{self.counter}"
        letter = Envelope(id=key, kind=kind, to=to, sender=peer, re=re, ttl=ttl, tries=tries)
        if kind is Kind.REQUEST:
            self.asked[key] = (peer, self.now + ttl, self.now)
            self.tries[key] = tries
        self.play(self.router.receive(peer, letter, self.now))
        return key

    @rule(
        asker=st.sampled_from(ASKERS),
        to=st.sampled_from((*SERVICES, "nobody")),
        ttl=st.sampled_from([0.5, 5.0, 60.0]),
        tries=st.integers(1, 3),
    )
    def ask(self, asker: str, to: str, ttl: float, tries: int) -> None:
        self.say(asker, Kind.REQUEST, to=to, ttl=ttl, tries=tries)

    @rule(worker=st.sampled_from(WORKERS), services=st.sets(st.sampled_from(SERVICES)), slots=st.integers(1, 2))
    def register(self, worker: str, services: set[str], slots: int) -> None:
        self.counter += 1
        body = encode_body(Register(services=sorted(services), slots=slots))
        letter = Envelope(id=f"{worker}.{self.counter}", kind=Kind.REQUEST, to="bus", ttl=1.0, body=body)
        actions = self.router.receive(worker, letter, self.now)
        answer = actions[0]
        assert isinstance(answer, Deliver) and answer.letter.re == letter.id
        assert isinstance(BodyDecoder((Registered, Failure)).decode(answer.letter.body), Registered)
        self.slots[worker] = slots
        self.play(actions)

    @precondition(lambda self: any(self.working.values()))
    @rule(data=st.data(), kind=st.sampled_from([Kind.PART, Kind.REPLY]))
    def answer(self, data: st.DataObject, kind: Kind) -> None:
        worker = data.draw(st.sampled_from([worker for worker in WORKERS if self.working[worker]]))
        key = data.draw(st.sampled_from(sorted(self.working[worker])))
        if kind is Kind.REPLY:
            self.working[worker].discard(key)
        self.say(worker, kind, re=key)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), peer=st.sampled_from((*WORKERS, *ASKERS)), kind=st.sampled_from([Kind.PART, Kind.REPLY]))
    def lie(self, data: st.DataObject, peer: str, kind: Kind) -> None:
        key = data.draw(st.sampled_from(sorted(self.asked)))
        if key not in self.working.get(peer, ()):
            before = self.finals[key]
            self.say(peer, kind, re=key)
            assert self.finals[key] == before

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), peer=st.sampled_from(ASKERS))
    def cancel(self, data: st.DataObject, peer: str) -> None:
        self.say(peer, Kind.CANCEL, re=data.draw(st.sampled_from(sorted(self.asked))))

    @rule(worker=st.sampled_from(WORKERS))
    def die(self, worker: str) -> None:
        self.working[worker].clear()
        self.play(self.router.gone(worker, self.now))

    @rule(seconds=st.sampled_from([0.1, 1.0, LOST_S, START_S]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.play(self.router.tick(self.now))

    @rule(service=st.sampled_from(SERVICES))
    def give_up(self, service: str) -> None:
        self.play(self.router.gave_up(service, "It stopped six times."))

    @rule(service=st.sampled_from(SERVICES))
    def restore(self, service: str) -> None:
        self.play(self.router.restored(service))

    @invariant()
    def at_most_one_final_reply_and_nothing_after_it(self) -> None:
        assert not self.after_final
        assert max(self.finals.values(), default=0) <= 1

    @invariant()
    def answers_reach_only_who_asked(self) -> None:
        assert not self.strangers

    @invariant()
    def every_job_in_flight_has_a_living_worker_and_fits_its_slots(self) -> None:
        for key, job in self.router._jobs.items():
            if job.worker:
                assert key in self.router._workers[job.worker].jobs
            else:
                assert key in self.router._services[job.letter.to].queue
        for worker in self.router._workers.values():
            assert worker.jobs <= self.router._jobs.keys()

    @invariant()
    def nothing_is_tried_more_often_than_allowed(self) -> None:
        assert all(count <= self.tries[key] for key, count in self.attempts.items())

    @invariant()
    def nothing_is_left_after_its_deadline(self) -> None:
        actions = self.router.tick(self.now)
        self.play(actions)
        assert all(job.deadline > self.now for job in self.router._jobs.values())

    def teardown(self) -> None:
        self.now += 1000.0
        self.play(self.router.tick(self.now))
        unanswered = [key for key in self.asked if self.finals[key] != 1]
        assert not unanswered, f"no final reply for {unanswered}"
        status = self.router.status()
        assert isinstance(status, Status)
        assert all(not service.queued and not service.busy for service in status.services)


RouterPromises.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRouterPromises = RouterPromises.TestCase


def test_a_worker_that_ignores_a_cancel_is_reported_and_the_asker_is_answered() -> None:
    router = Router("broker", known=lambda to: True, startable=lambda to: False, lost_after_s=1e9)
    body = encode_body(Register(services=["ocr"], slots=1))
    router.receive("w", Envelope(id="w.1", kind=Kind.REQUEST, to="bus", ttl=1.0, body=body), 0.0)
    router.receive("a", Envelope(id="a.1", kind=Kind.REQUEST, to="ocr", ttl=60.0), 0.0)
    (told,) = router.receive("a", Envelope(id="a.2", kind=Kind.CANCEL, re="a.1"), 1.0)
    assert isinstance(told, Deliver) and (told.peer, told.letter.kind) == ("w", Kind.CANCEL)
    (final, *_) = router.tick(1.0 + STOP_GRACE_S)
    assert isinstance(final, Deliver) and final.peer == "a" and final.letter.re == "a.1"
    assert BodyDecoder((Failure,)).decode(final.letter.body).code == "canceled"  # type: ignore[attr-defined]
    reported = router.tick(1.0 + 2 * STOP_GRACE_S)
    assert type(reported[0]).__name__ == "Unfit"
