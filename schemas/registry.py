"""Every message that can be said, by its tag: without it, the gateway would have to know each service."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

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
