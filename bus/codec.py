"""Envelope to bytes and back: without it, a letter could be too long, or could mean two things."""

from typing import Any

import msgspec
from msgspec import Raw

from schemas.envelope import Envelope
from schemas.errors import Invalid, TooLarge
from schemas.message import Message

LETTER_LIMIT_BYTES = 1 << 20
"""A letter is at most so long; pixels go beside the bus, as blobs."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises where bytes are no message; the second, where they are no text."""

_encoder = msgspec.msgpack.Encoder()
_envelopes = msgspec.msgpack.Decoder(Envelope)
_json_envelopes = msgspec.json.Encoder()


def encode(letter: Envelope) -> bytes:
    """The letter as MessagePack. Raises TooLarge beyond `LETTER_LIMIT_BYTES`."""
    data = _encoder.encode(letter)
    if len(data) > LETTER_LIMIT_BYTES:
        raise TooLarge(f"A letter of {len(data)} bytes is over the limit of {LETTER_LIMIT_BYTES}.")
    return data


def decode(data: bytes) -> Envelope:
    """The letter in these bytes. Raises TooLarge, or Invalid with the place that is wrong."""
    if len(data) > LETTER_LIMIT_BYTES:
        raise TooLarge(f"A letter of {len(data)} bytes is over the limit of {LETTER_LIMIT_BYTES}.")
    try:
        return _envelopes.decode(data)
    except UNREADABLE as error:
        raise Invalid(f"This is not a letter: {error}") from error


def encode_body(message: Message) -> Raw:
    """A message as the body of a letter."""
    return Raw(_encoder.encode(message))


class BodyDecoder:
    """Reads bodies that may be one of some messages, told apart by their tags."""

    def __init__(self, kinds: tuple[type[Message], ...]) -> None:
        union: Any = kinds[0]
        for kind in kinds[1:]:
            union = union | kind
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(union)

    def decode(self, body: Raw) -> Message:
        """The message in this body. Raises Invalid with the field that is wrong."""
        try:
            return self._decoder.decode(body)
        except UNREADABLE as error:
            raise Invalid(str(error)) from error


def to_json(letter: Envelope) -> bytes:
    """The letter as one line of JSON, defaults left out: for traces and for eyes."""
    fields = {name: getattr(letter, name) for name in Envelope.__struct_fields__ if name != "body"}
    defaults = dict(zip(reversed(Envelope.__struct_fields__), reversed(Envelope.__struct_defaults__), strict=False))
    shown = {name: value for name, value in fields.items() if name not in defaults or value != defaults[name]}
    body = msgspec.msgpack.decode(letter.body)
    return _json_envelopes.encode(shown if body is None else {**shown, "body": body})


def from_json(line: bytes) -> Envelope:
    """The letter in a line of JSON. Raises Invalid."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
        body = Raw(_encoder.encode(fields.pop("body", None)))
        return msgspec.convert({**fields, "body": body}, Envelope)
    except UNREADABLE as error:
        raise Invalid(f"This is not a letter: {error}") from error
