"""What may happen to any file: without it, only that would be tried which somebody thought of for one kind of file."""

import os
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

Kind = Callable[[Path, random.Random, Path | None], bool]
"""Damages a file; the third is another file to swap it with, or an older version. Tells whether it could."""


def cut_off(path: Path, chance: random.Random, other: Path | None) -> bool:
    size = path.stat().st_size
    if not size:
        return False
    os.truncate(path, chance.choice([0, size - 1, chance.randrange(size)]))
    return True


def flip_bits(path: Path, chance: random.Random, other: Path | None) -> bool:
    data = bytearray(path.read_bytes())
    if not data:
        return False
    for _ in range(chance.choice([1, 1, 8])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return True


def fill_with_zeros(path: Path, chance: random.Random, other: Path | None) -> bool:
    data = bytearray(path.read_bytes())
    start = chance.choice([0, chance.randrange(len(data) + 1)])
    end = min(len(data), start + chance.choice([16, 4096, len(data)]))
    if not any(data[start:end]):
        return False
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    return True


def swap(path: Path, chance: random.Random, other: Path | None) -> bool:
    if other is None or other.read_bytes() == path.read_bytes():
        return False
    between = path.with_name("between")
    path.rename(between)
    other.rename(path)
    between.rename(other)
    return True


def put_back(path: Path, chance: random.Random, other: Path | None) -> bool:
    if other is None or other.read_bytes() == path.read_bytes():
        return False
    shutil.copyfile(other, path)
    return True


def remove(path: Path, chance: random.Random, other: Path | None) -> bool:
    path.unlink()
    return True


def age(folder: Path, seconds: float) -> None:
    """Make everything in a folder so much older; what is new and what is old stays so."""
    paths: Iterable[Path] = [folder, *folder.rglob("*")]
    for path in paths:
        state = path.stat()
        os.utime(path, (state.st_atime - seconds, state.st_mtime - seconds))
