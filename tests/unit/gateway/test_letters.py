"""What a browser writes is read strictly, and refused in words that help."""

import json

import pytest

from gateway.letters import read_frame, read_request
from schemas.device import Area, Scan
from schemas.envelope import Kind
from schemas.errors import Denied, Invalid, ScanbusError, TooLarge
from schemas.page import Source
from schemas.session import Open

SCAN = {"type": "device.scan", "device_id": "virtual:sample"}


def test_a_request_is_read_with_its_types() -> None:
    said = {**SCAN, "settings": {"source": "feeder", "area": {"width_mm": 10, "height_mm": 20}, "options": {"x": [1]}}}
    message = read_request(json.dumps(said).encode())
    assert isinstance(message, Scan)
    assert message.settings.source is Source.FEEDER
    assert message.settings.area == Area(width_mm=10, height_mm=20)
    assert message.settings.options == {"x": [1]}
    assert read_request(b'{"type": "session.open"}') == Open()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            {**SCAN, "settings": {"resolution": 300}},
            "settings has no field 'resolution'; did you mean 'resolution_dpi'?",
        ),
        ({**SCAN, "device": "x"}, "device.scan has no field 'device'; did you mean 'device_id'?"),
        ({"type": "device.scan", "devise_id": "x"}, "device.scan has no field 'devise_id'; did you mean 'device_id'?"),
        (
            {**SCAN, "settings": {"area": {"width_mm": 1, "height_mm": 1, "zzzzz": 1}}},
            "settings.area has no field 'zzzzz'",
        ),
        ({**SCAN, "settings": {"type": 1}}, "settings has no field 'type'"),
        (
            {**SCAN, "settings": {"resolution_dpi": "300"}},
            "Expected `int | null`, got `str` - at `$.settings.resolution_dpi`",
        ),
        ({**SCAN, "settings": {"resolution_dpi": 1}}, "Expected `int` >= 50 - at `$.settings.resolution_dpi`"),
        ({"type": "device.scan"}, "Object missing required field `device_id`"),
        ({"type": "device.scam"}, "unknown type 'device.scam'; did you mean 'device.scan'?"),
        ({"type": "device.scanned"}, "unknown type 'device.scanned'; did you mean 'device.scan'?"),
        ({"type": 1}, "Expected `str`, got `int` - at `$.type`"),
        ({}, "Object missing required field `type`"),
        ([], "Expected `object`, got `array`"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(said: object, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_request(json.dumps(said).encode())
    assert refused.value.text == text


@pytest.mark.parametrize(
    "tag", ["bus.register", "buffer.append", "image.render", "cache.end_session", "driver.acquire"]
)
def test_what_is_not_for_browsers_is_denied(tag: str) -> None:
    with pytest.raises(Denied, match=tag):
        read_request(json.dumps({"type": tag}).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"type": "\xff"}',
        b'{"type": "device.scan", "device_id": "\xff"}',
        b'{"type": "device.scan", "device_id": "\\ud800"}',
        b'{"type": "device.scan", "device_id": "x", "settings": {"options": {"x": NaN}}}',
        b'{"type": "device.scan", "x": ' + b"[" * 100_000,
        b'{"type": "device.scan", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type": "device.scan", "x": ' + b'{"x":' * 100_000 + b"1" + b"}" * 100_001,
    ],
    ids=lambda data: repr(data[:60]),
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        read_request(data)


def test_a_very_long_wrong_name_is_not_repeated_in_full() -> None:
    with pytest.raises(Invalid) as refused:
        read_request(json.dumps({**SCAN, "x" * 100_000: 1}).encode())
    assert len(refused.value.text) < 200


def test_a_frame_is_a_kind_an_id_and_a_body() -> None:
    frame = read_frame('{"kind": "request", "id": "1", "body": {"type": "bus.get_status"}}', 1000)
    assert (frame.kind, frame.id, bytes(frame.body)) == (Kind.REQUEST, "1", b'{"type": "bus.get_status"}')


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("x" * 1001, TooLarge),
        ("\u20ac" * 334, TooLarge),
        ("{", Invalid),
        ("[" * 1000, Invalid),
        ('{"id": "1"}', Invalid),
        ('{"kind": "request", "id": 1}', Invalid),
        ('{"kind": "request", "id": "1", "session": "x"}', Invalid),
        ('{"kind": "shout", "id": "1"}', Invalid),
        ('{"kind": "request", "id": "' + "1" * 65 + '"}', Invalid),
        ('{"kind": "cancel", "re": "' + "1" * 65 + '"}', Invalid),
        (b"\xff", Invalid),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_frame_is_refused(data: str | bytes, error: type[ScanbusError]) -> None:
    with pytest.raises(error):
        read_frame(data, 1000)
