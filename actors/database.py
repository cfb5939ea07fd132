"""SQLite with durable commits and our own errors: without it, each actor that remembers would do that anew."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from bus import Context
from schemas.errors import StorageFailed, StorageFull

ResultT = TypeVar("ResultT")


class Database:
    """One file; changes are made one after another, each in a transaction of its own, off the loop."""

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = asyncio.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {schema}")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return self._db.execute(query, values).fetchall()

    def execute(self, statement: str, values: Iterable[tuple[object, ...]]) -> None:
        """Part of a change: one statement for each tuple of values."""
        self._db.executemany(statement, values)

    async def change(self, ctx: Context, work: Callable[[], ResultT]) -> ResultT:
        """Do `work` and commit, or undo it all. Raises StorageFull, StorageFailed, and what `work` raises."""

        def commit() -> ResultT:
            try:
                with self._db:
                    return work()
            except sqlite3.OperationalError as error:
                full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
                raise (StorageFull() if full else StorageFailed()) from error

        async with self._lock:
            return await ctx.offload(commit)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
