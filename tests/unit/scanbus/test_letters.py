"""How a trace looks."""

from argparse import Namespace

import pytest

from bus.codec import from_json
from bus.trace import Header, Line, Trace
from scanbus.commands.letters import COLUMNS, shown
from schemas.errors import Invalid, NotFound

LETTERS = """
{"id":"g#1.1","kind":"request","to":"device","sender":"main#1","trace":"g#1.1","session":"s1","ttl":1,"body":{"type":"device.scan","device_id":"virtual:a"}}
{"id":"d#1.1","kind":"request","to":"driver/virtual:feeder","sender":"main#2","re":"g#1.1","trace":"g#1.1","ttl":1,"body":{"type":"driver.acquire"}}
{"id":"v#1.1","kind":"part","to":"main#2","sender":"driver#3","re":"d#1.1","trace":"g#1.1","body":{"type":"driver.reading","fraction":0.5}}
{"id":"d#1.2","kind":"event","to":"device.changed","sender":"main#2","trace":"g#1.1","body":{"type":"device.changed"}}
{"id":"g#1.2","kind":"cancel","sender":"main#1","re":"g#1.1"}
{"id":"broker-1.1","kind":"cancel","sender":"bus","re":"d#1.1"}
{"id":"d#1.3","kind":"reply","to":"main#1","sender":"main#2","re":"g#1.1","body":{"type":"bus.failure","code":"canceled","text":"It-was-canceled."}}
{"id":"g#1.3","kind":"request","to":"bus","sender":"main#1","ttl":1,"body":{"type":"bus.register","services":["gateway"]}}
{"id":"broker-1.2","kind":"reply","sender":"bus","re":"g#1.3","body":{"type":"bus.registered","broker":"b"}}
{"id":"x.1","kind":"part","sender":"nobody","re":"lost","body":[1]}
"""
SHOWN = """
   2    0.000 request gateway        > device         device.scan {"device_id":"virtual:a"}
   3    1.000 request device         > …irtual:feeder   driver.acquire
   4    2.000 part    …irtual:feeder > device             driver.reading {"fraction":0.5}
   5    3.000 event   device         > all              device.changed
   6    4.000 cancel  gateway        > device           device.scan
   7    5.000 cancel  bus            > …irtual:feeder     driver.acquire
   8    6.000 reply   device         > gateway          bus.failure {"code":"canceled","text":"It-w…
  11    9.000 part    nobody         >                ?
2 heartbeats left out; --beats shows them.
It is cut off.
"""


@pytest.fixture
def trace() -> Trace:
    letters = [from_json(text.encode()) for text in LETTERS.strip().splitlines()]
    lines = [Line(float(number), letter) for number, letter in enumerate(letters)]
    return Trace(header=Header(trace=1), lines=lines, broken="It is cut off.")


def show(trace: Trace, **asked: object) -> list[str]:
    nothing = {"session": "", "service": "", "cause": "", "kind": None, "full": False, "beats": False}
    return [line.rstrip() for line in shown(trace, Namespace(**{**nothing, **asked}))]


def numbers(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines[:-1] if "left out" not in line]


def test_a_letter_is_a_line_indented_below_what_it_follows_from(trace: Trace) -> None:
    lines = show(trace)
    assert lines == SHOWN.strip("\n").splitlines()
    assert max(map(len, lines)) <= COLUMNS


def test_a_cause_is_followed_by_its_number_or_its_id(trace: Trace) -> None:
    assert numbers(show(trace, cause="3")) == [3, 4, 7]
    assert show(trace, cause="d#1.1") == show(trace, cause="3")
    assert numbers(show(trace, cause="2")) == [2, 3, 4, 5, 6, 7, 8]
    for wrong, kind in (("12", Invalid), ("1", Invalid), ("nothing", NotFound)):
        with pytest.raises(kind):
            show(trace, cause=wrong)


def test_lines_can_be_picked_by_kind_session_and_service(trace: Trace) -> None:
    assert numbers(show(trace, kind="cancel")) == [6, 7]
    assert numbers(show(trace, service="driver")) == [3, 4, 7]
    assert numbers(show(trace, session="s")) == [2, 3, 4, 6, 7, 8]
    assert numbers(show(trace, service="bus", beats=True)) == [9, 10]


def test_in_full_nothing_is_left_out(trace: Trace) -> None:
    lines = show(trace, full=True, cause="8")
    assert lines[0].endswith("bus.failure")
    assert '"text":"It-was-canceled."' in lines[1]
    assert '"id":"d#1.3"' in lines[1]


def test_a_trace_that_begins_in_the_middle_names_the_services_by_what_they_say() -> None:
    texts = [
        '{"id":"1","kind":"part","to":"main#1","sender":"main#2","re":"r1","body":{"type":"device.progress"}}',
        '{"id":"2","kind":"reply","to":"main#2","sender":"driver/virtual:a#3","re":"r2","body":{"type":"driver.acquired"}}',
        '{"id":"3","kind":"event","to":"buffer.changed","sender":"main#4","body":{"type":"buffer.changed"}}',
        '{"id":"4","kind":"reply","to":"main#2","sender":"main#5","re":"r3","body":{"type":"bus.failure"}}',
    ]
    lines = [Line(0.0, from_json(text.encode())) for text in texts]
    routes = [line[21:52].split() for line in show(Trace(header=Header(trace=1), lines=lines))]
    assert [route[:3] for route in routes] == [
        ["device", ">", "main"],
        ["…ver/virtual:a", ">", "device"],
        ["buffer", ">", "all"],
        ["main", ">", "device"],
    ]
