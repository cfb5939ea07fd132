"""SQLite with durable commits and our own errors: without it, each actor that remembers would do that anew."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from bus.durable import storage, sync
from schemas.errors import Damaged, StorageFailed, StorageFull

ResultT = TypeVar("ResultT")
_DURABLE = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
# SQLite opens a file for reading only where it could not for writing, were it for a moment, and tells each change so.
_TRY_TO_WRITE = "BEGIN; PRAGMA user_version = 1; ROLLBACK;"
_BESIDE = ("-wal", "-shm")
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Database:
    """One file; changes are made one after another, each in a transaction of its own, off the loop.

    A file that is damaged is set aside (`<name>.damaged-1`), and a new one begun: whoever keeps something here looks
    at `is_new`, and finds again what it can. Making one raises StorageFull or StorageFailed.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self.damaged: Path | None = None
        """Where the file is that could not be read."""
        self.is_new = not path.exists() or path.stat().st_size == 0
        """Whether nothing of an earlier life is in it."""
        if self.is_new:
            if _beside(path, "-wal").exists():
                # It would be taken for changes of the new file.
                self.damaged = _set_aside(path)
            _begin(path, schema)
        try:
            self._open(path, schema)
        except Damaged:
            self.damaged, self.is_new = _set_aside(path), True
            _begin(path, schema)
            self._open(path, schema)
        self._writer = -1
        # One thread, not a lock: a caller that is cancelled does not let the next change in before its own has ended.
        self._thread = ThreadPoolExecutor(1, "database", self._settle)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds: inside a change with what it did so far, else what is durable.

        Raises Damaged, StorageFailed.
        """
        db = self._db if threading.get_ident() == self._writer else self._reader
        with _storage(self._path):
            return db.execute(query, values).fetchall()

    def execute(self, statement: str, values: Iterable[tuple[object, ...]]) -> None:
        """Part of a change: one statement for each tuple of values."""
        self._db.executemany(statement, values)

    async def change(self, work: Callable[[], ResultT]) -> ResultT:
        """Do `work` and commit, or undo it all. Raises Damaged, StorageFull, StorageFailed, and what `work` raises."""

        def commit() -> ResultT:
            with _storage(self._path), self._db:
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, commit)

    def close(self) -> None:
        """Finish what is under way and close the file."""
        self._thread.shutdown()
        self._reader.close()
        self._db.close()

    def _open(self, path: Path, schema: str) -> None:
        opened: list[sqlite3.Connection] = []
        try:
            with _storage(path):
                self._db = sqlite3.connect(path, check_same_thread=False)
                opened.append(self._db)
                self._db.executescript(f"{_DURABLE} {schema} {_TRY_TO_WRITE}")
                if self._db.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
                    raise _damaged(path)
                # Its own connection, so that reading never waits for a commit and never sees half a change.
                self._reader = sqlite3.connect(path, check_same_thread=False)
                opened.append(self._reader)
                self._reader.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except BaseException:
            for each in opened:
                each.close()
            raise

    def _settle(self) -> None:
        self._writer = threading.get_ident()


def _begin(path: Path, schema: str) -> None:
    """Make a file that is there as a whole or not at all: half of one would be taken for a damaged one."""
    new = _beside(path, ".new")
    with _storage(path), storage():
        for suffix in ("", *_BESIDE):
            _beside(new, suffix).unlink(missing_ok=True)
        with closing(sqlite3.connect(new)) as db:
            # Closing would do so too, and not tell that it failed.
            db.executescript(f"{_DURABLE} {schema} PRAGMA wal_checkpoint(TRUNCATE);")
        new.replace(path)
        sync(path.parent)


def _set_aside(path: Path) -> Path:
    for number in count(1):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not any(_beside(aside, suffix).exists() for suffix in ("", *_BESIDE)):
            break
    with _storage(path), storage():
        for suffix in (*_BESIDE, ""):
            with suppress(FileNotFoundError):
                _beside(path, suffix).rename(_beside(aside, suffix))
    return aside


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFailed() from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGE:
            raise _damaged(path) from error
        if not isinstance(error, sqlite3.OperationalError):
            raise
        raise (StorageFull() if code == sqlite3.SQLITE_FULL else StorageFailed()) from error


def _damaged(path: Path) -> Damaged:
    return Damaged(f"The file {path.name} is damaged.", file=path.name)
