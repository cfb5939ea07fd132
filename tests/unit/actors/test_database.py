"""What an actor remembers is changed as a whole, durably, one change after another."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from actors.database import Database
from schemas.errors import NotFound, StorageFailed, StorageFull
from tests.disks import small_disk

SCHEMA = "CREATE TABLE IF NOT EXISTS words (word TEXT);"
WAIT_S = 10.0


def with_database(folder: Path, claim: Callable[[Database], Awaitable[None]]) -> None:
    async def lived() -> None:
        database = Database(folder / "words.sqlite", SCHEMA)
        try:
            await claim(database)
        finally:
            database.close()

    asyncio.run(lived())


def words(database: Database) -> list[str]:
    return [row[0] for row in database.rows("SELECT word FROM words")]


def add(database: Database, *new: str) -> None:
    database.execute("INSERT INTO words VALUES (?)", [(each,) for each in new])


def test_a_change_that_fails_is_undone_as_a_whole(tmp_path: Path) -> None:
    async def claim(database: Database) -> None:
        def half() -> None:
            add(database, "half")
            raise NotFound("the other half")

        with pytest.raises(NotFound):
            await database.change(half)
        assert words(database) == []
        await database.change(lambda: add(database, "whole"))
        assert words(database) == ["whole"]

    with_database(tmp_path, claim)


def test_a_change_sees_itself_and_nobody_else_sees_it_before_it_is_durable(tmp_path: Path) -> None:
    async def claim(database: Database) -> None:
        written, looked = threading.Event(), threading.Event()

        def slow() -> list[str]:
            add(database, "new")
            written.set()
            assert looked.wait(WAIT_S)
            return words(database)

        change = asyncio.create_task(database.change(slow))
        assert await asyncio.to_thread(written.wait, WAIT_S)
        before = words(database)
        looked.set()
        assert await change == ["new"] == words(database)
        assert before == []

    with_database(tmp_path, claim)


def test_a_change_whose_caller_has_gone_is_not_mixed_with_the_next(tmp_path: Path) -> None:
    async def claim(database: Database) -> None:
        begun, on = threading.Event(), threading.Event()

        def slow() -> None:
            add(database, "first")
            begun.set()
            assert on.wait(WAIT_S)
            add(database, "second")

        def failing() -> None:
            add(database, "third")
            raise NotFound("undo")

        gone = asyncio.create_task(database.change(slow))
        assert await asyncio.to_thread(begun.wait, WAIT_S)
        gone.cancel()
        await asyncio.wait({gone})
        following = asyncio.create_task(database.change(failing))
        await asyncio.wait({following}, timeout=0.1)
        on.set()
        with pytest.raises(NotFound):
            await following
        assert words(database) == ["first", "second"]

    with_database(tmp_path, claim)


def test_what_was_changed_is_there_for_the_next_process(tmp_path: Path) -> None:
    async def claim(database: Database) -> None:
        await database.change(lambda: add(database, "kept"))
        # Read by a stranger while the first is still open: nothing waits in its memory.
        other = sqlite3.connect(tmp_path / "words.sqlite")
        assert other.execute("SELECT word FROM words").fetchall() == [("kept",)]
        other.close()

    with_database(tmp_path, claim)


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    async def claim(database: Database) -> None:
        await database.change(lambda: add(database, "old"))
        with pytest.raises(StorageFull):
            await database.change(lambda: add(database, "x" * 1_000_000))
        await database.change(lambda: add(database, "new"))
        assert words(database) == ["old", "new"]

    with small_disk(tmp_path, size_kb=512):
        with_database(tmp_path, claim)


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        Database(tmp_path / "nowhere" / "words.sqlite", SCHEMA)
