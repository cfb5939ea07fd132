"""What one connection may say and hear."""

import json
from typing import Any

import pytest

from gateway.letters import Letter
from gateway.session import OPEN_LIMIT, Ask, Cancel, Close, Connection, Send
from schemas.buffer import Change, Changed, ListPages, Pages
from schemas.device import Progress, Scan
from schemas.envelope import Kind
from schemas.errors import Canceled, Failure, StorageFull
from schemas.message import Message
from schemas.session import Closed, Open, Opened

OPENED = Opened(session_id="s", token="t", version="1")
CHANGED = Changed(change=Change(document_id="d", revision=1))
LIST = {"type": "buffer.list_pages"}
SCAN = {"type": "device.scan", "device_id": "virtual:sample"}


def request(key: str, body: dict[str, Any]) -> str:
    return json.dumps({"kind": "request", "id": key, "body": body})


def cancel(key: str) -> str:
    return json.dumps({"kind": "cancel", "re": key})


def failure_of(action: object) -> tuple[str, str]:
    assert isinstance(action, Send)
    assert action.letter.kind is Kind.REPLY
    assert isinstance(action.letter.body, Failure)
    return action.letter.re, action.letter.body.code


@pytest.fixture
def connection() -> Connection:
    fresh = Connection(1 << 20)
    fresh.receive(request("open", {"type": "session.open"}))
    fresh.answer("open", OPENED)
    return fresh


def test_the_first_frame_opens_the_session() -> None:
    connection = Connection(1 << 20)
    assert connection.receive(request("1", {"type": "session.open", "token": "t"})) == [Ask("1", Open(token="t"))]
    assert connection.hear(CHANGED) == []
    assert connection.answer("1", OPENED) == [Send(Letter(kind=Kind.REPLY, re="1", body=OPENED))]
    assert connection.receive(request("2", LIST)) == [Ask("2", ListPages())]


@pytest.mark.parametrize("frame", [request("1", LIST), cancel("1"), "{", "", '{"kind": "event"}', "x" * (1 << 21)])
def test_any_other_first_frame_is_answered_and_ends_the_connection(frame: str) -> None:
    connection = Connection(1 << 20)
    refused, closed = connection.receive(frame)
    failure_of(refused)
    assert isinstance(closed, Close)
    assert closed.code == 1008
    assert connection.receive(request("1", {"type": "session.open"})) == []


def test_what_comes_before_the_session_is_open_is_refused_and_it_still_opens() -> None:
    connection = Connection(1 << 20)
    connection.receive(request("1", {"type": "session.open"}))
    assert [failure_of(action) for action in connection.receive(request("2", LIST))] == [("2", "invalid")]
    assert [failure_of(action) for action in connection.receive(request("3", {"type": "session.open"}))] == [
        ("3", "conflict")
    ]
    connection.answer("1", OPENED)
    assert connection.receive(request("2", LIST)) == [Ask("2", ListPages())]


def test_a_session_that_could_not_be_opened_may_be_tried_again() -> None:
    connection = Connection(1 << 20)
    connection.receive(request("1", {"type": "session.open"}))
    assert [failure_of(action) for action in connection.answer("1", StorageFull().failure())] == [("1", "storage_full")]
    assert connection.receive(request("1", {"type": "session.open"})) == [Ask("1", Open())]


def test_a_second_session_on_one_connection_is_refused(connection: Connection) -> None:
    assert [failure_of(action) for action in connection.receive(request("1", {"type": "session.open"}))] == [
        ("1", "conflict")
    ]


def test_an_id_that_is_in_use_does_not_end_the_request_that_has_it(connection: Connection) -> None:
    connection.receive(request("1", LIST))
    assert [failure_of(action) for action in connection.receive(request("1", SCAN))] == [("", "invalid")]
    assert connection.answer("1", Pages(pages=[])) == [Send(Letter(kind=Kind.REPLY, re="1", body=Pages(pages=[])))]
    assert connection.receive(request("1", LIST)) == [Ask("1", ListPages())]


def test_a_request_without_an_id_is_refused(connection: Connection) -> None:
    assert [failure_of(action) for action in connection.receive(request("", LIST))] == [("", "invalid")]


def test_a_browser_only_asks_and_cancels(connection: Connection) -> None:
    for kind in ("event", "reply", "part"):
        frame = json.dumps({"kind": kind, "id": "1", "body": {"type": "buffer.changed"}})
        assert [failure_of(action) for action in connection.receive(frame)] == [("", "invalid")]


def test_a_request_that_is_not_for_browsers_is_denied(connection: Connection) -> None:
    refused = connection.receive(request("1", {"type": "cache.end_session"}))
    assert [failure_of(action) for action in refused] == [("1", "denied")]


def test_a_cancelled_request_is_still_answered_once(connection: Connection) -> None:
    connection.receive(request("1", SCAN))
    assert connection.receive(cancel("1")) == [Cancel("1")]
    assert [failure_of(action) for action in connection.answer("1", Canceled().failure())] == [("1", "canceled")]
    assert connection.answer("1", Canceled().failure()) == []
    assert connection.part("1", Progress(number=1, fraction=0.5)) == []


def test_a_cancel_of_something_unknown_is_ignored(connection: Connection) -> None:
    assert connection.receive(cancel("1")) == []


def test_requests_beyond_the_limit_are_told_to_wait(connection: Connection) -> None:
    for number in range(OPEN_LIMIT):
        connection.receive(request(str(number), LIST))
    assert [failure_of(action) for action in connection.receive(request("more", LIST))] == [("more", "busy")]


def test_a_lost_connection_cancels_what_is_not_detached(connection: Connection) -> None:
    assert isinstance(connection.receive(request("1", SCAN))[0], Ask)
    connection.receive(request("2", LIST))
    assert connection.lost() == [Cancel("2")]
    assert connection.part("1", Progress(number=1, fraction=0.5)) == []
    assert connection.answer("1", Pages(pages=[])) == []
    assert connection.hear(CHANGED) == []
    assert Scan.detached


def test_whoever_closes_the_session_gets_the_reply_and_then_the_end(connection: Connection) -> None:
    connection.receive(request("1", {"type": "session.close"}))
    assert connection.ended() == []
    reply, closed = connection.answer("1", Closed())
    assert reply == Send(Letter(kind=Kind.REPLY, re="1", body=Closed()))
    assert isinstance(closed, Close)
    assert closed.code == 1000


def test_others_of_the_session_get_the_end(connection: Connection) -> None:
    (closed,) = connection.ended()
    assert isinstance(closed, Close)
    assert connection.ended() == []


def test_a_letter_is_what_the_protocol_shows() -> None:
    message: Message = Progress(number=1, fraction=0.4)
    letter = Letter(kind=Kind.PART, re="2", body=message)
    assert json.loads(letter.encode()) == {
        "kind": "part",
        "re": "2",
        "body": {"type": "device.progress", "number": 1, "fraction": 0.4},
    }
