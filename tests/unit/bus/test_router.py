"""What the router does with each letter; its promises for all orders are in `tests/property`."""

from typing import Any

import pytest

from bus.codec import BodyDecoder, encode_body
from bus.router import Action, Deliver, Publish, Router, Unfit, Wanted
from schemas.bus import GetStatus, Register, Registered, ServiceChanged, Status
from schemas.envelope import Envelope, Kind
from schemas.errors import Failure

READ = BodyDecoder((Failure, Registered, Status, ServiceChanged))


@pytest.fixture
def router() -> Router:
    return Router(
        "broker",
        known=lambda to: to.partition("/")[0] in ("ocr", "driver", "remote"),
        startable=lambda to: to.partition("/")[0] in ("ocr", "driver"),
        queue_letters=2,
        lost_after_s=3.0,
        start_timeout_s=10.0,
    )


def request(key: str, to: str = "ocr", *, ttl: float = 60.0, tries: int = 1, body: Any = None) -> Envelope:
    more = {} if body is None else {"body": encode_body(body)}
    return Envelope(id=key, kind=Kind.REQUEST, to=to, sender="asker", session="s", ttl=ttl, tries=tries, **more)


def register(router: Router, peer: str, *services: str, slots: int = 1, now: float = 0.0) -> list[Action]:
    return router.receive(peer, request(f"{peer}.r", "bus", body=Register(services=list(services), slots=slots)), now)


def delivered(actions: list[Action], kind: Kind) -> list[tuple[str, Envelope]]:
    return [(a.peer, a.letter) for a in actions if isinstance(a, Deliver) and a.letter.kind is kind]


def refusal(actions: list[Action]) -> str:
    ((_, letter),) = delivered(actions, Kind.REPLY)
    failure = READ.decode(letter.body)
    assert isinstance(failure, Failure)
    return failure.code


def test_a_request_goes_to_the_worker_with_most_free_slots_and_its_ttl_is_what_remains(router: Router) -> None:
    register(router, "small", "ocr", slots=1)
    register(router, "large", "ocr", slots=3)
    ((peer, letter),) = delivered(router.receive("asker", request("asker.1", ttl=60.0), 0.0), Kind.REQUEST)
    assert (peer, letter.id, letter.session, letter.ttl) == ("large", "asker.1", "s", 60.0)
    router.receive("asker", request("asker.2"), 0.0)
    router.receive("asker", request("asker.3"), 0.0)
    assert not delivered(router.receive("asker", request("asker.4", ttl=5.0), 1.0), Kind.REQUEST) == []
    router.receive("asker", request("asker.5", ttl=5.0), 2.0)
    done = Envelope(id="small.1", kind=Kind.REPLY, re="asker.3")
    waiting = router.receive("large", done, 4.0)
    assert delivered(waiting, Kind.REPLY) == []
    later = [
        each
        for peer in ("small", "large")
        for key in ("asker.1", "asker.2", "asker.3", "asker.4")
        for each in delivered(router.receive(peer, Envelope(id="x", kind=Kind.REPLY, re=key), 4.0), Kind.REQUEST)
    ]
    assert [(letter.id, letter.ttl) for _, letter in later] == [("asker.5", 3.0)]


def test_a_service_that_nobody_serves_is_wanted_once_and_the_letter_waits_for_it(router: Router) -> None:
    assert router.receive("asker", request("asker.1"), 0.0) == [Wanted("ocr")]
    assert router.receive("asker", request("asker.2"), 1.0) == []
    actions = register(router, "w", "ocr", slots=2, now=2.0)
    assert [letter.id for _, letter in delivered(actions, Kind.REQUEST)] == ["asker.1", "asker.2"]


def test_a_service_that_does_not_start_in_time_is_unavailable_and_is_wanted_again_next_time(router: Router) -> None:
    router.receive("asker", request("asker.1"), 0.0)
    assert router.tick(9.9) == []
    assert refusal(router.tick(10.0)) == "unavailable"
    assert router.receive("asker", request("asker.2"), 11.0) == [Wanted("ocr")]


def test_a_known_service_from_elsewhere_is_waited_for_but_not_started(router: Router) -> None:
    assert router.receive("asker", request("asker.1", "remote"), 0.0) == []
    assert delivered(register(router, "w", "remote"), Kind.REQUEST)


def test_a_letter_to_nobody_is_not_found(router: Router) -> None:
    assert refusal(router.receive("asker", request("asker.1", "nobody"), 0.0)) == "not_found"


@pytest.mark.parametrize("ttl", [0.0, -1.0, float("inf"), float("nan")])
def test_a_request_without_an_end_is_invalid(router: Router, ttl: float) -> None:
    assert refusal(router.receive("asker", request("asker.1", ttl=ttl), 0.0)) == "invalid"


def test_a_request_whose_id_is_open_is_a_conflict(router: Router) -> None:
    router.receive("asker", request("asker.1"), 0.0)
    assert refusal(router.receive("asker", request("asker.1"), 0.0)) == "conflict"


def test_more_letters_than_the_queue_holds_are_busy(router: Router) -> None:
    router.receive("asker", request("asker.1"), 0.0)
    router.receive("asker", request("asker.2"), 0.0)
    assert refusal(router.receive("asker", request("asker.3"), 0.0)) == "busy"


def test_an_instance_is_served_by_that_instance_alone(router: Router) -> None:
    register(router, "w", "driver/a")
    assert router.receive("asker", request("asker.1", "driver/b"), 0.0) == [Wanted("driver/b")]
    ((peer, _),) = delivered(router.receive("asker", request("asker.2", "driver/a"), 0.0), Kind.REQUEST)
    assert peer == "w"


def test_a_lost_worker_hands_its_letter_to_another_only_where_the_letter_allows_it(router: Router) -> None:
    register(router, "w1", "ocr", slots=2)
    router.receive("asker", request("asker.1", tries=2), 0.0)
    router.receive("asker", request("asker.2", tries=1), 0.0)
    register(router, "w2", "ocr", slots=2)
    actions = router.gone("w1", 1.0)
    assert [(peer, letter.id) for peer, letter in delivered(actions, Kind.REQUEST)] == [("w2", "asker.1")]
    assert refusal(actions) == "lost"


def test_a_request_that_has_given_parts_is_not_tried_again(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1", tries=2), 0.0)
    part = Envelope(id="w1.1", kind=Kind.PART, re="asker.1")
    assert delivered(router.receive("w1", part, 0.0), Kind.PART) == [("asker", part)]
    assert refusal(router.gone("w1", 1.0)) == "lost"


def test_a_worker_lost_while_it_was_stopping_ends_the_request_as_canceled(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1", tries=2), 0.0)
    router.receive("asker", Envelope(id="asker.2", kind=Kind.CANCEL, re="asker.1"), 0.0)
    assert router.receive("asker", Envelope(id="asker.3", kind=Kind.CANCEL, re="asker.1"), 0.0) == []
    assert refusal(router.gone("w1", 1.0)) == "canceled"


def test_the_last_worker_lost_while_letters_wait_makes_the_service_wanted_again(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1"), 0.0)
    router.receive("asker", request("asker.2"), 0.0)
    assert Wanted("ocr") in router.gone("w1", 1.0)


def test_a_caller_that_has_left_has_its_requests_stopped(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1"), 0.0)
    router.receive("asker", request("asker.2"), 0.0)
    actions = router.gone("asker", 1.0)
    ((peer, letter),) = delivered(actions, Kind.CANCEL)
    assert (peer, letter.re) == ("w1", "asker.1")
    assert router.status().services[0].queued == 0


def test_a_canceled_letter_in_the_queue_is_answered_at_once(router: Router) -> None:
    router.receive("asker", request("asker.1"), 0.0)
    cancel = Envelope(id="asker.2", kind=Kind.CANCEL, re="asker.1")
    assert router.receive("other", cancel, 0.0) == []
    assert refusal(router.receive("asker", cancel, 0.0)) == "canceled"


def test_a_deadline_answers_the_caller_and_stops_the_worker_whose_slot_stays_taken(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1", ttl=1.0), 0.0)
    actions = router.tick(1.0)
    assert refusal(actions) == "deadline"
    assert delivered(actions, Kind.CANCEL)[0][0] == "w1"
    assert router.receive("asker", request("asker.2"), 1.0) == []
    freed = router.receive("w1", Envelope(id="w1.1", kind=Kind.REPLY, re="asker.1"), 1.5)
    assert [letter.id for _, letter in delivered(freed, Kind.REQUEST)] == ["asker.2"]


def test_a_silent_worker_is_reported_and_its_work_lost(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1"), 0.0)
    assert router.tick(2.9) == []
    actions = router.tick(3.0)
    assert actions[0] == Unfit("w1", "it gave no sign of life for 3 seconds")
    assert refusal(actions) == "lost"


def test_nobody_fills_a_queue_alone() -> None:
    router = Router("broker", known=lambda to: True, startable=lambda to: False, queue_letters=8)
    for number in range(6):
        assert router.receive("greedy", request(f"greedy.{number}"), 0.0) == []
    assert refusal(router.receive("greedy", request("greedy.7"), 0.0)) == "busy"
    assert router.receive("modest", request("modest.1"), 0.0) == []
    assert router.receive("modest", request("modest.2"), 0.0) == []
    assert refusal(router.receive("modest", request("modest.3"), 0.0)) == "busy"


def test_any_letter_is_a_sign_of_life(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("w1", Envelope(id="w1.1", kind=Kind.EVENT, to="ocr.done"), 2.0)
    assert router.tick(4.0) == []


def test_a_service_that_was_given_up_is_refused_with_its_reason_until_it_is_restored(router: Router) -> None:
    router.receive("asker", request("asker.1"), 0.0)
    assert refusal(router.gave_up("ocr", "It stopped six times.")) == "unavailable"
    actions = router.receive("asker", request("asker.2"), 0.0)
    assert refusal(actions) == "unavailable"
    assert "It stopped six times." in READ.decode(delivered(actions, Kind.REPLY)[0][1].body).text  # type: ignore[attr-defined]
    assert router.failed() == {"ocr": "It stopped six times."}
    router.restored("ocr")
    assert router.receive("asker", request("asker.3"), 0.0) == [Wanted("ocr")]
    assert router.failed() == {}


def test_registration_is_answered_announced_once_and_clears_a_failure(router: Router) -> None:
    router.gave_up("ocr", "It stopped.")
    first = register(router, "w1", "ocr")
    assert READ.decode(delivered(first, Kind.REPLY)[0][1].body) == Registered(broker="broker")
    changes = [READ.decode(a.letter.body) for a in first if isinstance(a, Publish)]
    assert changes == [ServiceChanged(service="ocr", available=True)]
    assert not [a for a in register(router, "w1", "ocr") if isinstance(a, Publish)]
    assert not [a for a in register(router, "w2", "ocr") if isinstance(a, Publish)]
    assert router.failed() == {}
    assert not [a for a in router.gone("w1", 0.0) if isinstance(a, Publish)]
    gone = [READ.decode(a.letter.body) for a in router.gone("w2", 0.0) if isinstance(a, Publish)]
    assert gone == [ServiceChanged(service="ocr", available=False)]


def test_a_worker_that_leaves_gets_nothing_new_and_may_finish(router: Router) -> None:
    register(router, "w1", "ocr", slots=2)
    router.receive("asker", request("asker.1"), 0.0)
    register(router, "w1")
    assert router.receive("asker", request("asker.2"), 0.0) == [Wanted("ocr")]
    reply = Envelope(id="w1.1", kind=Kind.REPLY, re="asker.1")
    assert delivered(router.receive("w1", reply, 0.0), Kind.REPLY) == [("asker", reply)]


def test_a_worker_that_has_left_is_forgotten_without_a_word(router: Router) -> None:
    register(router, "w1", "ocr")
    register(router, "w1", now=1.0)
    assert router.tick(10.0) == []
    assert router.receive("asker", request("asker.1"), 10.0) == [Wanted("ocr")]


def test_status_counts_workers_slots_work_and_queue(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1"), 0.0)
    router.receive("asker", request("asker.2"), 0.0)
    actions = router.receive("asker", request("asker.3", "bus", body=GetStatus()), 0.0)
    status = READ.decode(delivered(actions, Kind.REPLY)[0][1].body)
    assert isinstance(status, Status)
    (ocr,) = status.services
    assert (ocr.service, ocr.workers, ocr.slots, ocr.busy, ocr.queued) == ("ocr", 1, 1, 1, 1)


def test_a_letter_to_the_broker_that_it_does_not_know_is_invalid(router: Router) -> None:
    assert (
        refusal(router.receive("asker", request("asker.1", "bus", body=Status(broker="", services=[])), 0.0))
        == "invalid"
    )


def test_answers_from_strangers_reach_nobody(router: Router) -> None:
    register(router, "w1", "ocr")
    router.receive("asker", request("asker.1"), 0.0)
    assert router.receive("stranger", Envelope(id="x.1", kind=Kind.REPLY, re="asker.1"), 0.0) == []
    assert router.receive("stranger", Envelope(id="x.2", kind=Kind.PART, re="asker.1"), 0.0) == []
    assert router.receive("stranger", Envelope(id="x.3", kind=Kind.PART, re="unknown"), 0.0) == []


def test_an_event_is_published_as_it_came(router: Router) -> None:
    event = Envelope(id="w1.1", kind=Kind.EVENT, to="buffer.changed", session="s")
    assert router.receive("w1", event, 0.0) == [Publish(event)]
