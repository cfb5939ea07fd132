"""What one browser session may say and hear: without it, the rules would hide between sockets and tasks."""

from msgspec import Struct

from gateway.letters import Frame, Letter, read_frame, read_request
from schemas.bus import GetStatus
from schemas.cache import GetUsage
from schemas.device import Describe, ListDevices
from schemas.envelope import Kind
from schemas.errors import Busy, Conflict, Invalid, ScanbusError
from schemas.message import Event, Message
from schemas.session import Close as EndSession
from schemas.session import Closed, ListStays, Open, Opened

WITHOUT_SESSION: tuple[type[Message], ...] = (Open, ListStays, GetStatus, GetUsage, ListDevices, Describe)
"""What a program may ask over HTTP before it has a session."""
OPEN_LIMIT = 256
"""Requests that one connection may have open."""
POLICY_VIOLATION = 1008
NORMAL = 1000


class Send(Struct, frozen=True):
    """Write this letter to the browser."""

    letter: Letter


class Ask(Struct, frozen=True):
    """Put this request to its service; its answers come back as `part` and `answer`."""

    id: str
    message: Message


class Cancel(Struct, frozen=True):
    """Stop this request; its reply still comes back as `answer`."""

    id: str


class Close(Struct, frozen=True):
    """Close the connection, after what was sent before."""

    code: int
    reason: str


Action = Send | Ask | Cancel | Close


class Connection:
    """One WebSocket: frames, answers and events in, actions out.

    It has its session once the `session.open` that it asked was answered with `Opened`.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._open: dict[str, Message] = {}
        self._has_session = False
        self._closing = False

    def receive(self, data: str | bytes) -> list[Action]:
        """What follows from one frame of the browser, whatever it is."""
        if self._closing:
            return []
        try:
            frame = read_frame(data, self._limit_bytes)
            if frame.kind is Kind.CANCEL and self._open_or_has_session:
                return [Cancel(frame.re)] if frame.re in self._open else []
            self._check_id(frame)
        except ScanbusError as error:
            # Without a `re`: an id that is in use would end the request that has it.
            return self._refuse("", error)
        try:
            return self._ask(frame)
        except ScanbusError as error:
            return self._refuse(frame.id, error)

    def part(self, key: str, body: Message) -> list[Action]:
        """What follows from a part of an answer."""
        return [Send(Letter(kind=Kind.PART, re=key, body=body))] if key in self._open and not self._closing else []

    def answer(self, key: str, body: Message) -> list[Action]:
        """What follows from the final reply to a request."""
        if self._open.pop(key, None) is None or self._closing:
            return []
        self._has_session = self._has_session or isinstance(body, Opened)
        sent: list[Action] = [Send(Letter(kind=Kind.REPLY, re=key, body=body))]
        return sent + self._close(NORMAL, "The session has ended.") if isinstance(body, Closed) else sent

    def hear(self, event: Event) -> list[Action]:
        """What follows from an event that this session may hear."""
        return [Send(Letter(kind=Kind.EVENT, body=event))] if self._has_session and not self._closing else []

    def ended(self) -> list[Action]:
        """What follows when the session is gone; whoever asked for that gets the reply first."""
        if self._closing or any(isinstance(message, EndSession) for message in self._open.values()):
            return []
        return self._close(NORMAL, "The session has ended.")

    def lost(self) -> list[Action]:
        """What follows when the connection is gone: all but detached requests are canceled."""
        self._closing = True
        attached = [key for key, message in self._open.items() if not getattr(message, "detached", False)]
        self._open.clear()
        return [Cancel(key) for key in attached]

    @property
    def _open_or_has_session(self) -> bool:
        return self._has_session or bool(self._open)

    def _check_id(self, frame: Frame) -> None:
        if frame.kind is not Kind.REQUEST:
            raise Invalid(f"A browser sends requests and cancels, not {frame.kind.value!r}.")
        if not frame.id:
            raise Invalid("A request needs an id.")
        if frame.id in self._open:
            raise Invalid(f"A request with the id {frame.id!r} is still open.")

    def _ask(self, frame: Frame) -> list[Action]:
        message = read_request(frame.body)
        if isinstance(message, Open) and self._open_or_has_session:
            raise Conflict("This connection has its session: open another connection for another one.")
        if not isinstance(message, Open) and not self._has_session:
            raise Invalid("The first frame opens a session: send session.open, and wait for its reply.")
        if len(self._open) >= OPEN_LIMIT:
            raise Busy(f"This connection has {OPEN_LIMIT} requests open: wait for a reply.")
        self._open[frame.id] = message
        return [Ask(frame.id, message)]

    def _refuse(self, key: str, error: ScanbusError) -> list[Action]:
        sent: list[Action] = [Send(Letter(kind=Kind.REPLY, re=key, body=error.failure()))]
        if self._open_or_has_session:
            return sent
        return sent + self._close(POLICY_VIOLATION, "The first frame opens a session.")

    def _close(self, code: int, reason: str) -> list[Action]:
        self._closing = True
        return [Close(code, reason)]
