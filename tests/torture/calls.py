"""The storage calls of a process, seen and refused by `shim.c`: without it, no test could stop between two of them."""

import ctypes
import json
import os
import struct
import subprocess
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

RECORD = struct.Struct("=4i q 4I")


class Op(IntEnum):
    """What a call did; the numbers are the shim's."""

    OPEN = 0
    WRITE = 1
    SYNC = 2
    RENAME = 3
    UNLINK = 4
    TRUNCATE = 5
    MKDIR = 6
    RMDIR = 7
    LINK = 8
    MARK = 9


class Call(NamedTuple):
    """One call, or one mark that the program left between two."""

    op: Op
    error: int
    """0 where it went well."""
    file: tuple[int, int]
    """Process and descriptor."""
    at: int
    """Offset of a write, size of a truncation, flags of an open."""
    path: str
    other: str
    data: bytes


def build_shim(folder: Path) -> Path:
    """Compile the shim into a folder."""
    made = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(made), str(source)], check=True)
    return made


def watched(shim: Path, folder: Path, log: Path) -> dict[str, str]:
    """The environment in which a program's calls below `folder`, a real path, are written to `log`."""
    return {**os.environ, "LD_PRELOAD": str(shim), "SHIM_FOLDER": str(folder), "SHIM_LOG": str(log)}


def read_calls(log: Path) -> list[Call]:
    """All calls, in their order."""
    data = log.read_bytes()
    calls, place = [], 0
    while place < len(data):
        op, error, pid, fd, at, *sizes = RECORD.unpack_from(data, place)
        place += RECORD.size
        texts = []
        for size in sizes[:3]:
            texts.append(data[place : place + size])
            place += size
        calls.append(Call(Op(op), error, (pid, fd), at, os.fsdecode(texts[0]), os.fsdecode(texts[1]), texts[2]))
    return calls


class Shim:
    """The shim of this very process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.shim_refuse.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_uint]
        self._library.shim_seen.restype = ctypes.c_long

    def mark(self, what: Any) -> None:
        """Write something down, between the calls before and after."""
        text = json.dumps(what).encode()
        self._library.shim_mark(text, ctypes.c_size_t(len(text)))

    def refuse(self, after: int, error: int, ops: set[Op]) -> None:
        """Let one call fail, the one that so many of these kinds went before; error 0: it writes half."""
        self._library.shim_refuse(after, error, sum(1 << op for op in ops))

    def count(self, ops: set[Op]) -> None:
        """Refuse nothing, and count calls of these kinds from now on."""
        self.refuse(1 << 40, 0, ops)

    @property
    def seen(self) -> int:
        """Calls of those kinds since."""
        return int(self._library.shim_seen())
