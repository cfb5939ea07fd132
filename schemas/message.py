"""What every message has in common: a tag, a time limit, and the types of its answers."""

from typing import Annotated, ClassVar, Generic, TypeVar, dataclass_transform

from msgspec import Meta, Struct, StructMeta, field

ReplyT = TypeVar("ReplyT", bound="Message", covariant=True)
PartT = TypeVar("PartT", covariant=True)
Private = Annotated[str, Meta(extra={"private": True})]
"""A text that traces leave out unless somebody asks for it: a person's words, secrets, names of files."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class MessageType(StructMeta):
    """Tells type checkers what `Message` asks of msgspec: subclasses are frozen and keyword-only, too."""


class Message(Struct, metaclass=MessageType, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Something that can be said; subclasses give their tag as ``<service>.<snake_case>``."""


class Request(Message, Generic[ReplyT, PartT]):
    """Something asked of a service; its type parameters are the reply and the parts before it."""

    timeout_s: ClassVar[float] = 10.0
    """How long a caller waits unless it says otherwise or has less time itself."""
    idempotent: ClassVar[bool] = False
    """Whether a second worker may try when the first is lost."""
    browser: ClassVar[bool] = False
    """Whether a web page may send it."""
    detached: ClassVar[bool] = False
    """Whether it goes on when the browser that asked for it is gone."""


class Event(Message):
    """A past fact. Events are hints: nothing may depend on receiving every one."""

    browser: ClassVar[bool] = False
    """Whether a web page may hear it."""


class Blob(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes that lie beside the bus: what they are called, how many, and of what kind."""

    name: str
    size: int
    """Bytes of the content, before compression and encryption."""
    media_type: str


def service_of(message: type[Message] | Message) -> str:
    """The service that a message's tag names: the address of a request."""
    return tag_of(message).partition(".")[0]


def tag_of(message: type[Message] | Message) -> str:
    """A message's tag, ``<service>.<snake_case>``."""
    tag = message.__struct_config__.tag
    if not isinstance(tag, str):
        raise TypeError(f"{message!r} has no tag")
    return tag
