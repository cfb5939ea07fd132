"""SQLite with durable commits and our own errors: without it, each actor that remembers would do that anew."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import StorageFailed, StorageFull

ResultT = TypeVar("ResultT")


class Database:
    """One file; changes are made one after another, each in a transaction of its own, off the loop.

    Making one raises StorageFull or StorageFailed.
    """

    def __init__(self, path: Path, schema: str) -> None:
        with _storage():
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {schema}")
            # Its own connection, so that reading never waits for a commit and never sees half a change.
            self._reader = sqlite3.connect(path)
        self._writer = -1
        # One thread, not a lock: a caller that is cancelled does not let the next change in before its own has ended.
        self._thread = ThreadPoolExecutor(1, "database", self._settle)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds: inside a change with what it did so far, else what is durable. Raises StorageFailed."""
        db = self._db if threading.get_ident() == self._writer else self._reader
        with _storage():
            return db.execute(query, values).fetchall()

    def execute(self, statement: str, values: Iterable[tuple[object, ...]]) -> None:
        """Part of a change: one statement for each tuple of values."""
        self._db.executemany(statement, values)

    async def change(self, work: Callable[[], ResultT]) -> ResultT:
        """Do `work` and commit, or undo it all. Raises StorageFull, StorageFailed, and what `work` raises."""

        def commit() -> ResultT:
            with _storage(), self._db:
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, commit)

    def close(self) -> None:
        """Finish what is under way and close the file."""
        self._thread.shutdown()
        self._reader.close()
        self._db.close()

    def _settle(self) -> None:
        self._writer = threading.get_ident()


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise (StorageFull() if full else StorageFailed()) from error
