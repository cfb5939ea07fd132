"""`scanbus trace`: what is said on the bus of a running service, to a file and to eyes."""

import asyncio
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from bus.blobs import NAME, BlobStore
from bus.codec import from_json
from bus.opened import open_store
from bus.trace import read
from scanbus.commands.asking import asked
from scanbus.commands.letters import count, shown
from schemas.bus import Record, Recorded, SaveRing
from schemas.config import Config
from schemas.errors import Conflict, NotFound
from schemas.message import Request

LOOK_S = 0.05


def trace(config: Config, arguments: Namespace) -> None:
    """Do what follows `scanbus trace`. Raises ScanbusError, and ScannerError where the service does not run."""
    if arguments.action == "show":
        for text in shown(read(arguments.file), arguments):
            print(text)
        return
    path: Path = arguments.file.absolute()
    if arguments.action == "last":
        told = asyncio.run(_ask(config, SaveRing(path=str(path), private=arguments.private)))
        print(f"{arguments.file}: {count(told.letters, 'letter')}", file=sys.stderr)
        return
    message = Record(path=str(path), session=arguments.session, service=arguments.service, private=arguments.private)
    copier = Copier(open_store(config), path) if arguments.blobs else None
    print(f"Recording to {arguments.file}; Ctrl-C ends it.", file=sys.stderr, flush=True)
    told = asyncio.run(_ask(config, message, copier))
    print(f"{arguments.file}: {count(told.letters, 'letter')}{copier.result() if copier else ''}", file=sys.stderr)


async def _ask(config: Config, message: Request[Recorded, Any], copier: "Copier | None" = None) -> Recorded:
    """The broker's answer; interrupted, it is asked to end what it does."""
    async with asked(config, message, "trace") as stream:
        copying = asyncio.create_task(copier.run()) if copier else None
        try:
            return await stream.reply()
        finally:
            if copier and copying:
                copier.ending.set()
                await copying


class Copier:
    """Copies the blobs that a growing trace names, as plain bytes, to the folder beside it. Raises Conflict."""

    def __init__(self, store: BlobStore, path: Path) -> None:
        self.ending = asyncio.Event()
        self._store = store
        self._path = path
        self._folder = path.with_suffix(".blobs")
        self._read_bytes = 0
        self._seen: set[str] = set()
        self._missed = 0
        for taken in (path, self._folder):
            if taken.exists():
                raise Conflict(f"{taken} exists already: choose another name.")

    async def run(self) -> None:
        """Copy until the trace is complete. Raises StorageFailed, OSError."""
        while not self.ending.is_set():
            await asyncio.to_thread(self._catch_up)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), LOOK_S)
        await asyncio.to_thread(self._catch_up)

    def result(self) -> str:
        """What a person is told in the end."""
        gone = f", {count(self._missed, 'blob')} gone before" if self._missed else ""
        return f", {count(len(self._seen) - self._missed, 'blob')}{gone}"

    def _catch_up(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            whole = file.read().rpartition(b"\n")[0]
        self._read_bytes += len(whole) + 1 if whole else 0
        letters = [from_json(text) for text in whole.splitlines() if text.startswith(b'{"t":')]
        with ExitStack() as stack:
            # All are opened before one is copied: what is open can be read although its session has ended.
            opened = [
                (name, stack.enter_context(blob))
                for letter in letters
                for name in _blobs(msgspec.msgpack.decode(letter.body))
                if (blob := self._open(letter.session, name)) is not None
            ]
            for name, blob in opened:
                self._copy(name, blob)

    def _open(self, session: str, name: str) -> BinaryIO | None:
        if name in self._seen:
            return None
        self._seen.add(name)
        try:
            return self._store.open(session, name)
        except NotFound:
            self._missed += 1
            return None

    def _copy(self, name: str, blob: BinaryIO) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(blob, file)


def _blobs(body: Any) -> Iterator[str]:
    if isinstance(body, list):
        for each in body:
            yield from _blobs(each)
    elif isinstance(body, dict):
        name = body.get("name")
        if isinstance(name, str) and NAME.fullmatch(name) and "media_type" in body:
            yield name
        for each in body.values():
            yield from _blobs(each)
