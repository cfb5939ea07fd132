"""A disk that forgets: from storage calls to every state that a power loss may leave behind."""

import os
from bisect import bisect_right
from pathlib import Path
from typing import NamedTuple

from tests.torture.calls import Call, Op

ROOT = 0
NEVER = 1 << 40
SHARED_MEMORY = "-shm"
"""SQLite's index of its log: no file but memory, made anew by whoever opens the database first."""


class Write(NamedTuple):
    """Bytes in a file."""

    file: int
    at: int
    data: bytes


class Truncate(NamedTuple):
    """A file's new size."""

    file: int
    size: int


class Entries(NamedTuple):
    """Names in folders, all of them at once: what each means from now on, None for nothing."""

    changes: tuple[tuple[int, str, int | None], ...]


class Effect(NamedTuple):
    """What one call changed; a power loss may undo it between `call` and `synced`, numbers of calls."""

    call: int
    synced: int
    what: Write | Truncate | Entries


class Loss(NamedTuple):
    """What a power loss after so many calls undid, by number of the effect."""

    calls: int
    missing: frozenset[int] = frozenset()
    zeroed: frozenset[int] = frozenset()
    """Writes whose room was taken, while the bytes did not arrive."""
    torn: int = -1
    """A write of which only `torn_bytes` arrived."""
    torn_bytes: int = 0


class Disk:
    """What storage calls did below a folder that was empty before."""

    def __init__(self, folder: Path, calls: list[Call]) -> None:
        self.calls = len(calls)
        self.folders = {ROOT}
        self._folder = str(folder)
        self._names: dict[int, dict[str, int]] = {ROOT: {}}
        self._files: dict[tuple[int, int], int] = {}
        self._sizes: dict[int, int] = {}
        self._born = ROOT
        self._made: list[tuple[int, Write | Truncate | Entries]] = []
        self._open: dict[int, list[int]] = {}
        self._synced: dict[int, int] = {}
        for number, call in enumerate(calls, 1):
            if not call.error and call.op is not Op.MARK and not call.path.endswith(SHARED_MEMORY):
                self._take(number, call)
            elif call.op is Op.OPEN and not call.error:
                self._files.pop(call.file, None)
        self.effects = [
            Effect(call, self._synced.get(number, NEVER), what) for number, (call, what) in enumerate(self._made)
        ]
        self._calls_of_effects = [effect.call for effect in self.effects]

    def unsynced(self, calls: int) -> list[int]:
        """The effects that a power loss after so many calls may undo."""
        end = bisect_right(self._calls_of_effects, calls)
        return [number for number in range(end) if self.effects[number].synced > calls]

    def build(self, loss: Loss, target: Path) -> None:
        """Make the folder as it is found afterwards."""
        names: dict[int, dict[str, int]] = {ROOT: {}}
        contents: dict[int, bytearray] = {}
        for number in range(bisect_right(self._calls_of_effects, loss.calls)):
            what = self.effects[number].what
            if isinstance(what, Entries):
                if number not in loss.missing:
                    _enter(names, what)
                continue
            content = contents.setdefault(what.file, bytearray())
            if number in loss.missing:
                if number in loss.zeroed and isinstance(what, Write):
                    _write(content, len(content), bytes(max(0, what.at + len(what.data) - len(content))))
            elif isinstance(what, Truncate):
                del content[what.size :]
                content.extend(bytes(what.size - len(content)))
            else:
                _write(content, what.at, what.data[: loss.torn_bytes] if number == loss.torn else what.data)
        self._lay_out(ROOT, names, contents, target)

    def _lay_out(self, folder: int, names: dict[int, dict[str, int]], contents: dict[int, bytearray], at: Path) -> None:
        at.mkdir(mode=0o700)
        for name, what in names.get(folder, {}).items():
            if what in self.folders:
                self._lay_out(what, names, contents, at / name)
            else:
                descriptor = os.open(at / name, os.O_CREAT | os.O_WRONLY, 0o600)
                os.write(descriptor, contents.get(what, b""))
                os.close(descriptor)

    def _take(self, number: int, call: Call) -> None:
        match call.op:
            case Op.OPEN:
                self._opened(number, call)
            case Op.WRITE | Op.TRUNCATE | Op.SYNC if call.file not in self._files:
                return
            case Op.WRITE:
                self._add(number, Write(self._files[call.file], call.at, call.data))
            case Op.TRUNCATE:
                self._add(number, Truncate(self._files[call.file], call.at))
            case Op.SYNC:
                for effect in self._open.pop(self._files[call.file], []):
                    self._synced.setdefault(effect, number)
            case Op.MKDIR:
                self.folders.add(self._bear())
                self._names[self._born] = {}
                self._name(number, (call.path, self._born))
            case Op.UNLINK | Op.RMDIR:
                self._name(number, (call.path, None))
            case Op.LINK:
                self._name(number, (call.other, self._find(call.path)))
            case Op.RENAME:
                # The last one is where it must be synced.
                self._name(number, (call.path, None), (call.other, self._find(call.path)))

    def _opened(self, number: int, call: Call) -> None:
        file = self._find(call.path)
        if file is None:
            assert call.at & os.O_CREAT, call
            file = self._bear()
            self._name(number, (call.path, file))
        elif call.at & os.O_TRUNC:
            self._add(number, Truncate(file, 0))
        self._files[call.file] = file

    def _bear(self) -> int:
        self._born += 1
        return self._born

    def _name(self, number: int, *named: tuple[str, int | None]) -> None:
        changes = []
        for path, what in named:
            parent, _, name = path.rpartition("/")
            folder = self._find(parent)
            assert folder is not None, path
            changes.append((folder, name, what))
        entries = Entries(tuple(changes))
        _enter(self._names, entries)
        self._add(number, entries)

    def _add(self, number: int, what: Write | Truncate | Entries) -> None:
        place = what.changes[-1][0] if isinstance(what, Entries) else what.file
        self._open.setdefault(place, []).append(len(self._made))
        self._made.append((number, what))

    def _find(self, path: str) -> int | None:
        found: int | None = ROOT
        for name in filter(None, path.removeprefix(self._folder).split("/")):
            found = self._names.get(found, {}).get(name) if found is not None else None
        return found


def tree(folder: Path) -> dict[str, bytes]:
    """All files and folders below a folder, by their paths."""
    return {
        str(path.relative_to(folder)): b"" if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
        if not path.name.endswith(SHARED_MEMORY)
    }


def _enter(names: dict[int, dict[str, int]], entries: Entries) -> None:
    for folder, name, what in entries.changes:
        inside = names.setdefault(folder, {})
        inside.pop(name, None)
        if what is not None:
            inside[name] = what


def _write(content: bytearray, at: int, data: bytes) -> None:
    if at > len(content):
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data
