"""What outsiders write, read strictly: without it, a typing mistake would be obeyed as something else."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import Raw, Struct

from schemas import registry
from schemas.envelope import Kind
from schemas.errors import Denied, Invalid, TooLarge
from schemas.message import Message

ID_LIMIT = 64
"""Characters of a letter's id."""


class Frame(Struct, frozen=True, forbid_unknown_fields=True):
    """One letter as a browser writes it."""

    kind: Kind
    id: str = ""
    re: str = ""
    body: Raw = Raw(b"{}")


class Letter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One letter as a browser reads it."""

    kind: Kind
    re: str = ""
    body: Message

    def encode(self) -> bytes:
        """As JSON, in one line."""
        return msgspec.json.encode(self)


class _Typed(Struct):
    type: str


def read_frame(data: str | bytes, limit_bytes: int) -> Frame:
    """One frame of a WebSocket. Raises TooLarge or Invalid."""
    size = len(data.encode()) if isinstance(data, str) else len(data)
    if size > limit_bytes:
        raise TooLarge(f"A letter of {size} bytes is over the limit of {limit_bytes}.")
    frame: Frame = _decode(data, Frame)
    if len(frame.id) > ID_LIMIT or len(frame.re) > ID_LIMIT:
        raise Invalid(f"An id has at most {ID_LIMIT} characters.")
    return frame


def read_request(body: bytes | Raw) -> Message:
    """The request that a browser's JSON says. Raises Invalid with the place that is wrong, or Denied."""
    tag = _decode(body, _Typed).type
    kind = registry.browser_requests().get(tag)
    if kind is None:
        if tag in registry.requests():
            raise Denied(f"{tag} is not for browsers.")
        raise Invalid(f"unknown type {_quoted(tag)}{_suggestion(tag, registry.browser_requests())}")
    raw = _decode(body, dict[str, Any])
    _refuse_strangers(raw, kind, tag)
    request: Message = _decode(body, kind)
    for place, name, known in _strangers(raw, request, ""):
        raise Invalid(f"{place or tag} has no field {_quoted(name)}{_suggestion(name, known)}")
    return request


def _refuse_strangers(raw: dict[str, Any], kind: type[Message], tag: str) -> None:
    for name in sorted(raw.keys() - {"type", *kind.__struct_encode_fields__}):
        raise Invalid(f"{tag} has no field {_quoted(name)}{_suggestion(name, kind.__struct_encode_fields__)}")


def _strangers(raw: Any, read: Any, place: str) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Where what was written has fields that what was read has not: place, field, and the fields that there are."""
    if isinstance(read, Struct):
        known = read.__struct_encode_fields__
        for name in sorted(raw.keys() - set(known) - ({"type"} if isinstance(read, Message) else set())):
            yield place, name, known
        for name in sorted(raw.keys() & set(known)):
            yield from _strangers(raw[name], getattr(read, name), f"{place}.{name}".lstrip("."))
    elif isinstance(read, Mapping):
        for key in read:
            yield from _strangers(raw[key], read[key], f"{place}.{key}")
    elif isinstance(read, list):
        for at, (item_raw, item) in enumerate(zip(raw, read, strict=True)):
            yield from _strangers(item_raw, item, f"{place}[{at}]")


def _decode(data: str | bytes | Raw, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(bytes(data) if isinstance(data, Raw) else data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(str(error)) from error
    except RecursionError as error:
        raise Invalid("That is nested too deeply.") from error


def _quoted(text: str) -> str:
    return repr(text if len(text) <= ID_LIMIT else text[:ID_LIMIT] + "...")


def _suggestion(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    close = get_close_matches(word[:ID_LIMIT], list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
