"""What was said on the bus, kept in a file: without it, a bug report would be a story instead of evidence."""

import errno
import os
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Raw, Struct

from bus.codec import decode, from_json, to_json
from schemas.envelope import Envelope, Kind
from schemas.errors import Conflict, Invalid, NotFound, ScanbusError, StorageFailed, StorageFull

FORMAT = 1
HIDDEN = "(private)"
RING_S = 60.0
RING_LIMIT_BYTES = 4 << 20
AROUND_BYTES = 128
"""What Python needs to remember a letter, besides its bytes."""
PENDING_LIMIT_BYTES = 32 << 20
"""Letters that wait for a slow disk; beyond it a recording ends, because the bus goes first."""
FOLLOWED = 100_000
"""Requests whose answers a filtered recording still expects."""

Private = Mapping[str, Collection[tuple[str, ...]]]
"""For each tag, the paths of the fields that nobody else shall read; lists on the way are walked through."""

_packer = msgspec.msgpack.Encoder()


class Header(Struct, frozen=True, kw_only=True):
    """The first line: which format, and who wrote it."""

    trace: int
    version: str = ""
    broker: str = ""


class Line(Struct, frozen=True):
    """One letter, and how many seconds after the first one the broker saw it."""

    t: float
    letter: Envelope


class Trace(Struct, frozen=True, kw_only=True):
    """A trace that was read; `broken` says what is wrong with its end, where its writer was interrupted."""

    header: Header
    lines: list[Line]
    broken: str = ""


class Filter:
    """Picks the letters of one session, of one service, or both, with everything that answers or follows from them.

    `session` may be the beginning of one, as the log shows it; empty strings pick everything.
    """

    def __init__(self, session: str = "", service: str = "") -> None:
        self._session = session
        self._service = service
        self._followed: dict[str, None] = {}

    def picks(self, letter: Envelope) -> bool:
        """Whether the letter belongs to it; letters are to be shown in the order in which they were seen."""
        if not self._session and not self._service:
            return True
        if letter.re not in self._followed and not self._matches(letter):
            return False
        if letter.kind is Kind.REQUEST:
            self._followed[letter.id] = None
            if len(self._followed) > FOLLOWED:
                del self._followed[next(iter(self._followed))]
        return True

    def _matches(self, letter: Envelope) -> bool:
        # An event is addressed to its tag, everything else to a service or one instance of it.
        service = letter.to.partition("." if letter.kind is Kind.EVENT else "/")[0]
        return letter.session.startswith(self._session) and self._service in ("", service, letter.to)


class Recorder:
    """Writes a new trace; `note` only remembers, `flush` writes, so that the bus never waits for the disk.

    Raises Invalid (not a path to a new `.jsonl` file), Conflict (it exists), StorageFull, StorageFailed.
    """

    def __init__(
        self, path: Path, *, version: str, broker: str, private: Private, session: str = "", service: str = ""
    ) -> None:
        self.letters = 0
        """How many are in the file."""
        self._private = private
        self._filter = Filter(session, service)
        self._began = -1.0
        self._pending: deque[tuple[float, Envelope]] = deque()
        self._pending_bytes = 0
        self._behind = False
        self._over = False
        self._writing = threading.Lock()
        self._file = _create(path)
        try:
            self._write(msgspec.json.encode(Header(trace=FORMAT, version=version, broker=broker)) + b"\n")
        except ScanbusError:
            os.close(self._file)
            raise

    def note(self, now: float, letter: Envelope, data: bytes) -> None:
        """Remember a letter that the broker saw at `now`, in seconds of its clock."""
        if self._pending_bytes > PENDING_LIMIT_BYTES:
            self._behind = True
        if self._behind or self._over:
            return
        self._pending.append((now, letter))
        self._pending_bytes += len(data)

    def flush(self) -> None:
        """Write what is remembered; may be called in a thread. Raises StorageFull, StorageFailed."""
        with self._writing:
            if self._over:
                return
            lines: list[bytes] = []
            while self._pending:
                now, letter = self._pending.popleft()
                if not self._filter.picks(letter):
                    continue
                if not self.letters and not lines:
                    self._began = now
                lines.append(line_of(now - self._began, letter, self._private))
            self._pending_bytes = 0
            self._write(b"".join(lines))
            self.letters += len(lines)
            if self._behind:
                self._over = True
                raise StorageFailed("The disk is too slow for this trace: it ends here. Record to a faster one.")

    def close(self) -> None:
        """Write the rest and close the file. Raises StorageFull, StorageFailed."""
        try:
            self.flush()
        finally:
            os.close(self._file)

    def _write(self, data: bytes) -> None:
        try:
            with _disk():
                while data:
                    data = data[os.write(self._file, data) :]
        except ScanbusError:
            # After half a line that did not fit, nothing else may follow.
            self._over = True
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Ring:
    """The last minute of letters, in memory, at most `RING_LIMIT_BYTES` of them."""

    def __init__(self) -> None:
        self._letters: deque[tuple[float, bytes]] = deque()
        self._bytes = 0

    def note(self, now: float, letter: Envelope, data: bytes) -> None:
        """Remember a letter that the broker saw at `now`, in seconds of its clock."""
        letters = self._letters
        letters.append((now, data))
        self._bytes += len(data) + AROUND_BYTES
        while self._bytes > RING_LIMIT_BYTES or letters[0][0] < now - RING_S:
            self._bytes -= len(letters.popleft()[1]) + AROUND_BYTES

    def letters(self) -> list[tuple[float, bytes]]:
        """What is remembered now: when each was seen, and its bytes."""
        return list(self._letters)


def save(letters: list[tuple[float, bytes]], path: Path, *, version: str, broker: str, private: Private) -> int:
    """Write a ring's letters as a trace; gives how many. Raises what `Recorder` raises."""
    with Recorder(path, version=version, broker=broker, private=private) as recorder:
        for now, data in letters:
            recorder.note(now, decode(data), b"")
    return recorder.letters


def line_of(t: float, letter: Envelope, private: Private) -> bytes:
    """One line of a trace, `t` seconds after its first letter."""
    try:
        text = to_json(hidden(letter, private))
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        # Somebody sent what no JSON can say: the letter is still worth its line.
        text = to_json(msgspec.structs.replace(letter, body=Raw(_packer.encode("(unreadable)"))))
    return b'{"t":%s,%s\n' % (msgspec.json.encode(round(t, 6)), text[1:])


def hidden(letter: Envelope, private: Private) -> Envelope:
    """The letter with `HIDDEN` in place of the values of private fields."""
    body = msgspec.msgpack.decode(letter.body)
    paths = private.get(body.get("type", "")) if isinstance(body, dict) else None
    if not paths:
        return letter
    for path in paths:
        _hide(body, path)
    return msgspec.structs.replace(letter, body=Raw(_packer.encode(body)))


def _hide(value: Any, path: tuple[str, ...]) -> None:
    if isinstance(value, list):
        for each in value:
            _hide(each, path)
    elif isinstance(value, dict):
        first, *rest = path
        for name in value if first == "*" else {first} & value.keys():
            if rest:
                _hide(value[name], tuple(rest))
            else:
                value[name] = HIDDEN


def read(path: Path) -> Trace:
    """A trace of this or any older release. Raises NotFound, and Invalid with the line that cannot be read."""
    try:
        first, *texts = path.read_bytes().split(b"\n")
    except OSError as error:
        raise NotFound(f"The trace {path} cannot be read: {error.strerror}.") from error
    try:
        header = msgspec.json.decode(first, type=Header)
    except msgspec.MsgspecError as error:
        raise Invalid(f"{path} is not a trace: its first line is no header ({error}).") from error
    if header.trace > FORMAT:
        raise Invalid(f"{path} was written by a newer Scanbus ({header.version}): read it with that one.")
    # Every line is ended; what comes after the last end was interrupted.
    lines, tail = [], texts.pop() if texts else b""
    for number, text in enumerate(texts, 2):
        lines.append(_line(path, number, text))
    if not tail:
        return Trace(header=header, lines=lines)
    with suppress(Invalid):
        return Trace(header=header, lines=[*lines, _line(path, len(texts) + 2, tail)])
    return Trace(header=header, lines=lines, broken=f"Line {len(texts) + 2} is cut off: the writer was interrupted.")


class _When(Struct, frozen=True):
    t: float


def _line(path: Path, number: int, text: bytes) -> Line:
    try:
        return Line(msgspec.json.decode(text, type=_When).t, from_json(text))
    except (msgspec.MsgspecError, ScanbusError) as error:
        raise Invalid(f"Line {number} of {path} is not a letter: {error}") from error


def _create(path: Path) -> int:
    if path.suffix != ".jsonl" or not path.is_absolute():
        raise Invalid("A trace's name is a whole path that ends in .jsonl.")
    with _disk():
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)


@contextmanager
def _disk() -> Iterator[None]:
    # Errors are logged, and names of files are nobody's business there.
    try:
        yield
    except FileExistsError as error:
        raise Conflict("A file of that name exists already: choose another name.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull("There is no space left for the trace: what is in it so far is kept.") from error
        raise StorageFailed(f"The trace cannot be written ({error.strerror}): choose another folder.") from error
