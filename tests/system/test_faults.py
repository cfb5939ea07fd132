"""One actor is faulty: its callers are told, all else works on, and it comes back or is marked with its reason."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from bus import Actor
from bus.router import STOP_GRACE_S
from schemas.config import Config
from schemas.envelope import Kind
from schemas.message import Request
from tests.bench.measure import pss_mb
from tests.system.caller import Answer, Caller, calling
from tests.system.conftest import WAIT_S, Service, services, until
from tests.system.faults import (
    answers_late,
    answers_twice,
    busy_loop,
    eats_memory,
    exits,
    floods,
    impostor,
    killed,
    leaves,
    never_answers,
    prints,
    raises_in_start,
    raises_in_stop,
    writes_rubbish,
)

SHELF = Path(__file__).parent / "faults"
NAMES = sorted(path.stem for path in SHELF.glob("*.py") if path.stem != "words")
LOST_AFTER_S = 1.5
MEMORY_LIMIT_MB = 256
MARGIN_S = 2.0
"""For a busy machine."""
GIVEN_UP_S = 16.0
"""Six starts and the pauses between them, which are 7.5 s."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with every faulty actor on its shelf."""
    folder = tmp_path_factory.mktemp("faults")
    info = folder / "faults-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faults\nVersion: 0\n")
    points = [f"{name} = tests.system.faults.{name}:{actor_of(name)}" for name in NAMES]
    (info / "entry_points.txt").write_text("\n".join(["[scanbus.actors]", *points]))
    with services(folder) as make:
        service = make(
            PYTHONPATH=f"{folder}:{Path(__file__).parents[2]}",
            SCANBUS_PROCESSES=json.dumps(Config().processes | {name: [name] for name in NAMES}),
            SCANBUS_BUS__LOST_AFTER_S=str(LOST_AFTER_S),
            SCANBUS_MEMORY_LIMIT_MB=str(MEMORY_LIMIT_MB),
            SCANBUS_IDLE_S="2",
        )
        service.said = folder / "said"
        service.start()
        with service.client() as client:
            assert client.devices(wait=True)
        main = service.processes()["main"]
        yield service
        assert service.processes()["main"] == main, "none of the faults may end main"


def actor_of(name: str) -> str:
    """The one actor in a file of the shelf."""
    module = import_module(f"tests.system.faults.{name}")
    (actor,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__ and issubclass(each, Actor)
    )
    assert actor.__doc__, f"{name} does not say what is wrong with it"
    return actor.__name__


@pytest.fixture(scope="module")
def caller(service: Service) -> Iterator[Caller]:
    with calling(service) as caller:
        yield caller


def works_on(service: Service) -> float:
    """The rest of the service does its work; gives the longest time in seconds that the list of scanners took."""
    longest_s = 0.0
    with service.client() as client:
        for _ in range(5):
            began = monotonic()
            assert client.devices()
            longest_s = max(longest_s, monotonic() - began)
        assert len(list(client.scan("virtual:fast", source="feeder", pages=1))) == 1
    return longest_s


def reason(service: Service, name: str) -> str:
    """Why a service is marked failed, as /healthz says; empty if it is not."""
    _, _, reasons = service.client().health()
    return next((text for text in reasons if text.startswith(f"{name}: ")), "").removeprefix(f"{name}: ")


def log_of(service: Service) -> str:
    """What the service and its libraries wrote to standard error, some of which is no text."""
    return service.log.read_text(errors="replace")


def is_back(service: Service, caller: Caller, message: Request[Any, Any]) -> None:
    """The faulty actor does its next work, without anybody's help, and is not marked."""
    again = caller.ask(message).result(2 * WAIT_S)
    assert (again.code, again.text) == ("", "fine")
    name = type(message).__module__.rpartition(".")[2]
    assert reason(service, name) == ""
    assert re.search(rf"^  {name}: \d of \d+ busy", service.run("status").stdout, re.MULTILINE)
    works_on(service)


@pytest.fixture(scope="module")
def slow(caller: Caller) -> dict[str, "Future[Answer]"]:
    """What takes long is asked all at once, of a worker that is there already where its time counts."""
    caller.ask(never_answers.Ask(fault=False)).result(WAIT_S)
    asked: dict[str, Future[Answer]] = {
        module.__name__.rpartition(".")[2]: caller.ask(module.Ask())
        for module in (exits, leaves, raises_in_start, impostor)
    }
    asked["never_answers"] = caller.ask(never_answers.Ask(), 1.0)
    asked["never_answers, later"] = caller.ask(never_answers.Ask(fault=False))
    return asked


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("exits", r"it ended with exit code 3, the 6th time within 60 seconds\."),
        ("leaves", r"it ended with exit code 0, the 6th time within 60 seconds\."),
        ("raises_in_start", r"it ended .*: .* cannot start: ZeroDivisionError: the shelf is empty\."),
        ("impostor", r"it ended .*: The service 'device' belongs to another process: see the setting `processes`\."),
    ],
)
def test_what_cannot_start_is_marked_with_its_reason(
    service: Service, slow: dict[str, "Future[Answer]"], name: str, why: str
) -> None:
    works_on(service)
    answer = slow[name].result(2 * WAIT_S)
    assert answer.code == "unavailable"
    assert answer.took_s <= GIVEN_UP_S
    until(lambda: reason(service, name), f"{name} is marked")
    assert re.fullmatch(why, reason(service, name))
    shown = service.run("status").stdout
    assert re.search(rf"^Scanbus .*: failing$.*^  {name}: not running: {why}$", shown, re.MULTILINE | re.DOTALL), shown
    listed = json.loads(service.run("status", "--json").stdout)["services"]
    assert [each["failed"] for each in listed if each["service"] == name] == [reason(service, name)]
    works_on(service)


def test_who_asks_for_what_is_marked_is_refused_at_once_with_the_reason(
    service: Service, caller: Caller, slow: dict[str, "Future[Answer]"]
) -> None:
    slow["exits"].result(2 * WAIT_S)
    until(lambda: reason(service, "exits"), "exits is marked")
    answer = caller.ask(exits.Ask()).result(WAIT_S)
    assert answer.code == "unavailable"
    assert "ended with exit code 3, the 6th time" in answer.text
    assert answer.took_s < 1.0


def test_a_process_that_is_killed_in_mid_request_costs_that_request(service: Service, caller: Caller) -> None:
    caller.ask(killed.Ask(fault=False)).result(WAIT_S)
    answer = caller.ask(killed.Ask()).result(WAIT_S)
    assert answer.code == "lost"
    assert answer.took_s < MARGIN_S
    is_back(service, caller, killed.Ask(fault=False))


def test_a_busy_loop_is_ended_once_it_was_silent_for_too_long(service: Service, caller: Caller) -> None:
    caller.ask(busy_loop.Ask(fault=False)).result(WAIT_S)
    asked = caller.ask(busy_loop.Ask())
    works_on(service)
    answer = asked.result(WAIT_S)
    assert answer.code == "lost"
    assert LOST_AFTER_S - 1.0 <= answer.took_s <= LOST_AFTER_S + MARGIN_S
    assert f"it gave no sign of life for {LOST_AFTER_S} seconds" in log_of(service)
    is_back(service, caller, busy_loop.Ask(fault=False))


def test_who_is_never_answered_is_told_at_the_deadline(
    service: Service, caller: Caller, slow: dict[str, "Future[Answer]"]
) -> None:
    answer = slow["never_answers"].result(WAIT_S)
    assert answer.code == "deadline"
    assert 1.0 <= answer.took_s <= 1.0 + 0.5
    works_on(service)


def test_a_worker_that_does_not_stop_is_ended_after_its_grace_when_nothing_is_free(
    service: Service, caller: Caller, slow: dict[str, "Future[Answer]"]
) -> None:
    later = slow["never_answers, later"].result(2 * WAIT_S)
    assert (later.code, later.text) == ("", "fine")
    assert STOP_GRACE_S <= later.took_s <= 1.0 + STOP_GRACE_S + LOST_AFTER_S + 2 * MARGIN_S
    assert f"it did not stop its work within {STOP_GRACE_S:g} seconds" in log_of(service)
    is_back(service, caller, never_answers.Ask(fault=False))


def test_of_two_answers_the_first_counts_and_nothing_follows_it(service: Service, caller: Caller) -> None:
    answer = caller.ask(answers_twice.Ask()).result(WAIT_S)
    assert (answer.code, answer.text, answer.parts) == ("", "first", 0)
    is_back(service, caller, answers_twice.Ask(fault=False))
    assert caller.said_to(answer.id) == [Kind.REPLY]


def test_an_answer_after_the_deadline_reaches_nobody(service: Service, caller: Caller) -> None:
    caller.ask(answers_late.Ask(fault=False)).result(WAIT_S)
    answer = caller.ask(answers_late.Ask(), 0.5).result(WAIT_S)
    assert answer.code == "deadline"
    assert 0.5 <= answer.took_s <= 1.0
    is_back(service, caller, answers_late.Ask(fault=False))
    assert caller.said_to(answer.id) == [Kind.REPLY]


class Peak(threading.Thread):
    """Measures the most memory that a process takes (PSS), until it is told to end."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self._over = threading.Event()
        self.began_mb = self.peak_mb = pss_mb([pid])
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.peak_mb = max(self.peak_mb, pss_mb([self._pid]))

    def grown_mb(self) -> float:
        self._over.set()
        self.join()
        return self.peak_mb - self.began_mb


@pytest.mark.parametrize("fault", ["parts", "long parts", "events", "long events", "rubbish"])
def test_a_worker_that_floods_is_ended_and_the_rest_hardly_feels_it(
    service: Service, caller: Caller, fault: str
) -> None:
    peak = Peak(service.processes()["main"])
    asked = caller.ask(floods.Ask(fault=fault))
    longest_s = works_on(service)
    answer = asked.result(WAIT_S)
    grown_mb = peak.grown_mb()
    assert answer.code == "lost"
    assert answer.took_s <= 5.0 + MARGIN_S
    assert longest_s <= 1.0
    assert grown_mb <= 100
    assert "it flooded the bus with letters" in log_of(service)
    is_back(service, caller, floods.Ask())


def test_a_heap_of_requests_is_refused_where_it_is_too_high_and_the_rest_hardly_feels_it(
    service: Service, caller: Caller
) -> None:
    peak = Peak(service.processes()["main"])
    asked = caller.ask(floods.Ask(fault="requests"))
    longest_s = works_on(service)
    assert asked.result(WAIT_S).text == "fine"
    grown_mb = peak.grown_mb()
    assert longest_s <= 1.0
    assert grown_mb <= 50
    is_back(service, caller, floods.Ask())


def test_what_an_actor_prints_is_in_the_log_and_harms_nothing(service: Service, caller: Caller) -> None:
    answer = caller.ask(prints.Ask()).result(WAIT_S)
    assert (answer.code, answer.text) == ("", "fine")
    assert "Scanning...\n" in log_of(service) and "a program says this\n" in log_of(service)
    assert service.said.read_text().count("\n") == 1
    is_back(service, caller, prints.Ask(fault=False))


def test_at_the_memory_limit_a_request_fails_and_the_process_is_replaced(service: Service, caller: Caller) -> None:
    caller.ask(eats_memory.Ask(fault=False)).result(WAIT_S)
    greedy = service.processes()["eats_memory"]
    peak = Peak(greedy)
    answer = caller.ask(eats_memory.Ask()).result(WAIT_S)
    grown_mb = peak.grown_mb()
    assert answer.code == "internal"
    assert "not enough memory" in answer.text
    assert answer.took_s <= 2 * MARGIN_S
    assert grown_mb <= MEMORY_LIMIT_MB
    until(lambda: service.processes().get("eats_memory", greedy) != greedy, "it was replaced")
    is_back(service, caller, eats_memory.Ask(fault=False))
    assert "It ran out of memory" in log_of(service)


def test_an_actor_that_raises_when_it_leaves_has_left(service: Service, caller: Caller) -> None:
    answer = caller.ask(raises_in_stop.Ask()).result(WAIT_S)
    assert (answer.code, answer.text) == ("", "fine")
    until(lambda: "raises_in_stop" not in service.processes(), "it has left")
    log = log_of(service)
    assert "nothing to put back" in log
    assert "a process has ended: raises_in_stop" not in log
    is_back(service, caller, raises_in_stop.Ask())


def test_rubbish_on_the_bus_harms_nobody(service: Service, caller: Caller) -> None:
    answer = caller.ask(writes_rubbish.Ask()).result(WAIT_S)
    assert (answer.code, answer.text) == ("", "fine")
    is_back(service, caller, writes_rubbish.Ask(fault=""))


def test_an_answer_that_cannot_be_read_is_an_error_of_the_service(service: Service, caller: Caller) -> None:
    answer = caller.ask(writes_rubbish.Ask(fault="reply")).result(WAIT_S)
    assert answer.code == "internal"
    assert answer.took_s <= MARGIN_S
    is_back(service, caller, writes_rubbish.Ask(fault=""))
