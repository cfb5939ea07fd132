"""Every message that can be said, by its tag: without it, the gateway would have to know each service."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from msgspec import inspect

import schemas
from schemas.message import Event, Message, Request, tag_of

_ROOTS = (Message, Request, Event)


@cache
def messages() -> dict[str, type[Message]]:
    """All messages of the package, tag to class."""
    found: dict[str, type[Message]] = {}
    for module in iter_modules(schemas.__path__, "schemas."):
        for kind in vars(import_module(module.name)).values():
            if isinstance(kind, type) and issubclass(kind, Message) and kind not in _ROOTS:
                found[tag_of(kind)] = kind
    return found


@cache
def requests() -> dict[str, type[Message]]:
    """All requests, tag to class."""
    return {tag: kind for tag, kind in messages().items() if issubclass(kind, Request)}


@cache
def events() -> dict[str, type[Event]]:
    """All events, tag to class."""
    return {tag: kind for tag, kind in messages().items() if issubclass(kind, Event)}


@cache
def browser_requests() -> dict[str, type[Message]]:
    """The requests that a web page may send, tag to class."""
    return {tag: kind for tag, kind in requests().items() if getattr(kind, "browser", False)}


@cache
def private_fields() -> dict[str, list[tuple[str, ...]]]:
    """Where each message has private texts, tag to paths; lists on the way are not named, any key of a dict is `*`."""
    found = {tag: list(_private(inspect.type_info(kind), ())) for tag, kind in messages().items()}
    return {tag: paths for tag, paths in found.items() if paths}


def _private(kind: inspect.Type, within: tuple[type, ...]) -> Iterator[tuple[str, ...]]:
    match kind:
        case inspect.Metadata():
            if (kind.extra or {}).get("private"):
                yield ()
            else:
                yield from _private(kind.type, within)
        case inspect.StructType() if kind.cls not in within:
            for each in kind.fields:
                yield from ((each.encode_name, *path) for path in _private(each.type, (*within, kind.cls)))
        case inspect.ListType() | inspect.VarTupleType():
            yield from _private(kind.item_type, within)
        case inspect.DictType():
            yield from (("*", *path) for path in _private(kind.value_type, within))
        case inspect.UnionType():
            for choice in kind.types:
                yield from _private(choice, within)
