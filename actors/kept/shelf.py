"""The archive as many hands share it: without it, one would change what another is reading."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from actors.kept.archive import Archive
from actors.kept.document import Document
from schemas.errors import Conflict, ScanbusError

ResultT = TypeVar("ResultT")
Arguments = ParamSpec("Arguments")

log = structlog.get_logger()


class Shelf:
    """Says who may change which document now, and works on all of them off the loop, one step after another."""

    def __init__(self, state_folder: Path) -> None:
        self.archive = Archive(state_folder)
        # One thread, not a lock: a caller that is canceled does not let the next change in before its own has ended.
        self._thread = ThreadPoolExecutor(1, "kept")
        self._users: dict[str, int] = {}
        """How many read each document now; -1: somebody changes it."""

    async def do(
        self, work: Callable[Arguments, ResultT], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> ResultT:
        """Do what blocks. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))

    @contextmanager
    def using(self, folder: str, *, alone: bool = False) -> Iterator[None]:
        """Nobody changes the document meanwhile, and if `alone`, nobody reads it. Raises Conflict: somebody does."""
        users = self._users.get(folder, 0)
        if users < 0 or (alone and users):
            raise Conflict("This document is being saved to, or loaded. Try again when that has ended.")
        self._users[folder] = -1 if alone else users + 1
        try:
            yield
        finally:
            self._users[folder] += 1 if alone else -1
            if not self._users[folder]:
                del self._users[folder]

    async def tidy(self, document: Document) -> None:
        """Delete what a change has left over; where that fails, the next one will."""
        try:
            await self.do(document.tidy)
        except ScanbusError as error:
            log.warning("a kept document could not be tidied", code=error.code, reason=error.text)

    async def sweep(self) -> None:
        """Finish what a crash interrupted, and report what is damaged."""
        try:
            await self.do(self.archive.sweep)
            folders = await self.do(self.archive.folders)
        except ScanbusError as error:
            log.warning("kept documents could not be tidied", code=error.code, reason=error.text)
            return
        for folder in folders:
            try:
                lock = await self.do(self.archive.lock, folder)
                # Where a password is needed, whoever changes the document next tidies it.
                if lock is not None and not lock.protected and folder not in self._users:
                    await self.do(self.archive.document(folder, lock.key).tidy)
            except ScanbusError as error:
                log.warning("a kept document cannot be read", folder=folder, code=error.code, reason=error.text)

    def close(self) -> None:
        """Finish what is under way."""
        self._thread.shutdown()
