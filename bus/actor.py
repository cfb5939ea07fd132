"""What an actor is: a service's name and one handler for each message that it takes."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Never, TypeVar, get_args, get_origin, overload

from schemas.config import Config
from schemas.message import Event, Message, Request, service_of

if TYPE_CHECKING:
    from bus.context import Context

ActorT = TypeVar("ActorT", bound="Actor")
ReplyT = TypeVar("ReplyT", bound=Message)
RequestT = TypeVar("RequestT", bound=Message)
EventT = TypeVar("EventT", bound=Event)
PartT = TypeVar("PartT")
_ON = "__on__"


class Actor:
    """Serves one service; its methods marked with `on` are its whole interface.

    Handlers interleave only at `await`. What a handler returns is the reply, what it raises is the failure.
    """

    service: ClassVar[str]
    slots: ClassVar[int] = 64
    """How many requests it works on at once."""

    def __init__(self, config: Config, instance: str = "") -> None:
        self.config = config
        self.instance = instance
        """Which one of its kind, where letters are addressed to one (`sane:test:0` in `driver/sane:test:0`)."""

    async def start(self, ctx: "Context") -> None:
        """Called once before the first request; background work goes to `ctx.spawn`."""

    async def stop(self) -> None:
        """Called once when no handler runs any more."""

    @classmethod
    def requests(cls) -> dict[type[Message], str]:
        """The requests that it takes, and the method for each."""
        return {kind: name for kind, name in _handlers(cls).items() if issubclass(kind, Request)}

    @classmethod
    def events(cls) -> dict[type[Message], str]:
        """The events that it hears, and the method for each."""
        return {kind: name for kind, name in _handlers(cls).items() if issubclass(kind, Event)}


@overload
def on(
    kind: type[Request[ReplyT, PartT]],
) -> Callable[
    [Callable[[ActorT, RequestT, "Context"], Awaitable[ReplyT]]],
    Callable[[ActorT, RequestT, "Context"], Awaitable[ReplyT]],
]: ...
@overload
def on(
    kind: type[EventT],
) -> Callable[
    [Callable[[ActorT, EventT, "Context"], Awaitable[None]]], Callable[[ActorT, EventT, "Context"], Awaitable[None]]
]: ...
def on(kind: type[Message]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method as the handler of one message: ``@on(Recognize)``.

    A type checker rejects a handler whose reply is not the request's own.
    """

    def mark(handler: Callable[..., Any]) -> Callable[..., Any]:
        setattr(handler, _ON, kind)
        return handler

    return mark


def _handlers(cls: type[Actor]) -> dict[type[Message], str]:
    found: dict[type[Message], str] = {}
    for name in dir(cls):
        kind = getattr(getattr(cls, name, None), _ON, None)
        if kind is None:
            continue
        if issubclass(kind, Request) and service_of(kind) != cls.service:
            raise TypeError(f"{cls.__name__} serves {cls.service!r} and cannot take {kind.__name__}")
        found[kind] = name
    return found


def answers(kind: type[Message]) -> tuple[type[Message], tuple[type[Message], ...]]:
    """The reply and the parts that a request's type announces.

    Raises TypeError where the class does not derive from `Request[Reply, Part]`.
    """
    for parent in getattr(kind, "__orig_bases__", ()):
        if get_origin(parent) is Request:
            reply, part = get_args(parent)
            parts = () if part is Never else (get_args(part) or (part,))
            return reply, parts
    raise TypeError(f"{kind.__name__} does not say what it is answered with")
