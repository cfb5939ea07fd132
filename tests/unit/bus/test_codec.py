"""A letter means one thing, in MessagePack and in JSON, and is never too long."""

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import LETTER_LIMIT_BYTES, BodyDecoder, decode, encode, encode_body, from_json, to_json
from schemas.bus import Register, Registered
from schemas.device import Scan, Settings
from schemas.envelope import Envelope, Kind
from schemas.errors import Invalid, TooLarge

LETTER = Envelope(
    id="page.7",
    kind=Kind.REQUEST,
    to="device",
    sender="page",
    re="page.6",
    trace="page.1",
    session="s",
    ttl=1.5,
    tries=2,
    body=encode_body(Scan(device_id="virtual:sample", settings=Settings(resolution_dpi=300))),
)
AS_ANYBODY_READS_IT = {
    "id": "page.7",
    "kind": "request",
    "to": "device",
    "sender": "page",
    "re": "page.6",
    "trace": "page.1",
    "session": "s",
    "ttl": 1.5,
    "tries": 2,
    "body": {"type": "device.scan", "device_id": "virtual:sample", "settings": {"resolution_dpi": 300}},
}


def test_the_plain_msgpack_package_reads_our_letters() -> None:
    assert msgpack.unpackb(encode(LETTER)) == AS_ANYBODY_READS_IT


def test_we_read_letters_of_the_plain_msgpack_package() -> None:
    letter = decode(msgpack.packb({**AS_ANYBODY_READS_IT, "from_the_future": [1, 2]}))
    assert letter == LETTER
    assert BodyDecoder((Scan,)).decode(letter.body) == Scan(
        device_id="virtual:sample", settings=Settings(resolution_dpi=300)
    )


def test_defaults_do_not_travel() -> None:
    assert msgpack.unpackb(encode(Envelope(id="a.1", kind=Kind.EVENT))) == {"id": "a.1", "kind": "event"}


def test_json_is_the_same_letter_with_defaults_left_out() -> None:
    assert json.loads(to_json(LETTER)) == AS_ANYBODY_READS_IT
    assert json.loads(to_json(Envelope(id="a.1", kind=Kind.CANCEL, re="b.2"))) == {
        "id": "a.1",
        "kind": "cancel",
        "re": "b.2",
    }
    assert from_json(to_json(LETTER)) == LETTER


letters = st.builds(
    Envelope,
    id=st.text(),
    kind=st.sampled_from(Kind),
    to=st.text(),
    sender=st.text(),
    re=st.text(),
    trace=st.text(),
    session=st.text(),
    ttl=st.floats(allow_nan=False, allow_infinity=False),
    tries=st.integers(0, 9),
    body=st.builds(
        lambda services, slots: encode_body(Register(services=services, slots=slots)),
        st.lists(st.text()),
        st.integers(0, 9),
    ),
)


@given(letters)
def test_every_letter_survives_both_ways(letter: Envelope) -> None:
    assert decode(encode(letter)) == letter
    assert from_json(to_json(letter)) == letter


def test_a_letter_over_the_limit_is_too_large_for_sender_and_receiver() -> None:
    body = encode_body(Register(services=["x" * LETTER_LIMIT_BYTES]))
    with pytest.raises(TooLarge):
        encode(Envelope(id="a.1", kind=Kind.REQUEST, body=body))
    with pytest.raises(TooLarge):
        decode(b"\0" * (LETTER_LIMIT_BYTES + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x81",
        msgpack.packb([1]),
        msgpack.packb({"id": 1, "kind": "request"}),
        b"\x91" * 100_000,
        msgpack.packb({"id": "a", "kind": "gossip"}),
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_what_is_no_letter_is_invalid(data: bytes) -> None:
    with pytest.raises(Invalid):
        decode(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_a_letter_or_invalid(data: bytes) -> None:
    try:
        assert decode(encode(decode(data))) == decode(data)
    except Invalid as error:
        assert error.text


@pytest.mark.parametrize("line", [b"", b"[1]", b"{", b'{"id": "a"}', b'{"id": "a", "kind": 3}'])
def test_what_is_no_line_of_a_trace_is_invalid(line: bytes) -> None:
    with pytest.raises(Invalid):
        from_json(line)


def test_a_wrong_body_is_invalid_and_names_the_field() -> None:
    body = encode_body(Scan(device_id="x"))
    with pytest.raises(Invalid, match=r"device\.scan"):
        BodyDecoder((Registered,)).decode(body)
    wrong = decode(
        msgpack.packb(
            {
                "id": "a",
                "kind": "request",
                "body": {"type": "device.scan", "device_id": "x", "settings": {"resolution_dpi": 5}},
            }
        )
    )
    with pytest.raises(Invalid, match=r"settings\.resolution_dpi"):
        BodyDecoder((Scan,)).decode(wrong.body)
