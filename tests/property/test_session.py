"""Whatever a browser, its services and its network do, in whatever order: the session's rules hold."""

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.letters import Letter
from gateway.outbox import Outbox
from gateway.session import Action, Ask, Cancel, Close, Connection, Send
from schemas.buffer import Change, Changed
from schemas.device import Job, JobState, Progress, Scan, Scanned
from schemas.envelope import Kind
from schemas.errors import Canceled
from schemas.message import Message
from schemas.session import Close as EndSession
from schemas.session import Closed, Open, Opened

IDS = st.sampled_from(["1", "2", "3"])
BODIES = st.sampled_from(
    [
        {"type": "session.open"},
        {"type": "session.close"},
        {"type": "buffer.list_pages"},
        {"type": "device.scan", "device_id": "x"},
        {"type": "device.scan", "device": "x"},
        {"type": "bus.register", "services": []},
        {"type": "nothing.such"},
    ]
)
CHANGED = Changed(change=Change(document_id="d", revision=1))
SCANNED = Scanned(job=Job(job_id="j", device_id="d", state=JobState.COMPLETED))


class Browser(RuleBasedStateMachine):
    """One connection, with the services' side played by the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = Connection(10_000)
        self.asked: dict[str, Message] = {}
        self.owed: Counter[str] = Counter()
        self.opened = False
        self.closed = False
        self.lost = False

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.closed, "nothing follows the end"
            match action:
                case Ask(key, message):
                    assert key not in self.asked
                    assert self.opened or isinstance(message, Open)
                    self.asked[key] = message
                case Cancel(key):
                    assert key in self.asked
                case Close():
                    self.closed = True
                case Send(Letter(kind=Kind.REPLY, re=key)) if key:
                    self.owed[key] -= 1
                    assert self.owed[key] >= 0, "one reply for each request"
                case Send(Letter(kind=Kind.PART, re=key)):
                    assert key in self.asked
                case Send(Letter(kind=Kind.EVENT)):
                    assert self.opened

    @precondition(lambda self: not self.lost)
    @rule(key=IDS, body=BODIES)
    def ask(self, key: str, body: dict[str, Any]) -> None:
        if key not in self.asked and not self.closed:
            self.owed[key] += 1
        self.perform(self.connection.receive(json.dumps({"kind": "request", "id": key, "body": body})))

    @precondition(lambda self: not self.lost)
    @rule(key=IDS)
    def cancel(self, key: str) -> None:
        if self.closed:
            return
        self.perform(self.connection.receive(json.dumps({"kind": "cancel", "re": key})))

    @precondition(lambda self: not self.lost)
    @rule(data=st.one_of(st.text(), st.binary()))
    def babble(self, data: str | bytes) -> None:
        self.perform(self.connection.receive(data))

    @rule(key=IDS)
    def part(self, key: str) -> None:
        self.perform(self.connection.part(key, Progress(number=1, fraction=0.5)))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), well=st.booleans())
    def answer(self, data: st.DataObject, well: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.asked)))
        message = self.asked.pop(key)
        body: Message = Canceled().failure()
        if well and isinstance(message, Open):
            self.opened = True
            body = Opened(session_id="s", token="t", version="1")
        elif well:
            body = Closed() if isinstance(message, EndSession) else SCANNED
        actions = self.connection.answer(key, body)
        assert self.lost or self.closed or any(isinstance(action, Send) for action in actions)
        self.perform(actions)
        assert self.connection.answer(key, body) == []

    @rule()
    def hear(self) -> None:
        self.perform(self.connection.hear(CHANGED))

    @precondition(lambda self: not self.lost)
    @rule()
    def end(self) -> None:
        self.perform(self.connection.ended())

    @precondition(lambda self: not self.lost)
    @rule()
    def lose(self) -> None:
        canceled = {action.id for action in self.connection.lost() if isinstance(action, Cancel)}
        assert canceled == {key for key, message in self.asked.items() if not isinstance(message, Scan | EndSession)}
        self.lost = self.closed = True

    @invariant()
    def every_request_is_answered_or_being_answered(self) -> None:
        if not self.closed:
            assert +self.owed == Counter(self.asked.keys())


TestBrowser = Browser.TestCase
TestBrowser.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)

LETTERS = st.one_of(
    st.builds(
        lambda re, fraction: Letter(kind=Kind.PART, re=re, body=Progress(number=1, fraction=fraction)),
        IDS,
        st.floats(0, 1),
    ),
    st.builds(lambda re: Letter(kind=Kind.REPLY, re=re, body=SCANNED), IDS),
    st.just(Letter(kind=Kind.EVENT, body=CHANGED)),
    st.none(),
)


@given(st.lists(LETTERS, max_size=80), st.integers(1, 8))
def test_an_outbox_keeps_every_reply_and_its_order_and_the_newest_progress(
    steps: list[Letter | None], limit: int
) -> None:
    outbox = Outbox(limit)
    put, got = [], []
    for step in [*steps, *[None] * 80]:
        if step is None:
            if (data := outbox.take()) is not None:
                got.append(data)
        else:
            put.append(step)
            outbox.put(step)
    replies = [letter.encode() for letter in put if letter.kind is Kind.REPLY]
    assert [data for data in got if b'"reply"' in data] == replies
    remaining = iter(letter.encode() for letter in put)
    assert all(data in remaining for data in got), "in the order in which they were put"
    for re in ("1", "2", "3"):
        progress = [letter.encode() for letter in put if letter.kind is Kind.PART and letter.re == re]
        assert progress[-1:] == [data for data in got if b'"part"' in data and f'"re":"{re}"'.encode() in data][-1:]
    events = sum(letter.kind is Kind.EVENT for letter in put)
    assert events == sum(b'"event"' in data for data in got) + outbox.missed_events
