"""What an actor remembers is changed as a whole, durably, one change after another."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from actors.database import Database
from schemas.errors import Damaged, NotFound, StorageFailed, StorageFull
from tests.disks import read_only, small_disk

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


def test_a_file_that_can_only_be_read_is_said_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"

    async def claim(database: Database) -> None:
        await database.change(lambda: add(database, "new"))

    with_database(tmp_path, claim)
    with read_only(path), pytest.raises(StorageFailed):
        Database(path, SCHEMA)
    with_database(tmp_path, claim)


def test_a_disk_that_is_full_at_first_leaves_no_half_made_file(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    ends: set[str] = set()

    async def claim(database: Database) -> None:
        assert database.damaged is None

    with small_disk(tmp_path, size_kb=256):
        for room_kb in range(0, 128, 4):
            ballast = tmp_path / "ballast"
            ballast.write_bytes(bytes((256 - room_kb) << 10))
            try:
                Database(path, SCHEMA).close()
                ends.add("begun")
            except (StorageFull, StorageFailed) as error:
                ends.add(error.code)
            ballast.unlink()
            with_database(tmp_path, claim)
            for each in tmp_path.iterdir():
                each.unlink()
    assert ends >= {"begun", StorageFull.code}


def zeroed(path: Path) -> None:
    """All but the first page, and nothing waits beside it."""
    with closing(sqlite3.connect(path)) as db:
        # Whoever has the file open looks at it again.
        db.execute("PRAGMA user_version = 7")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))


def garbled(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


@pytest.mark.parametrize("damage", [zeroed, garbled])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "words.sqlite"

    async def claim(database: Database) -> None:
        assert database.is_new is True
        await database.change(lambda: add(database, "old"))

    async def damaged(database: Database) -> None:
        assert database.is_new is True
        assert database.damaged is not None
        assert words(database) == []
        await database.change(lambda: add(database, "new"))

    async def whole(database: Database) -> None:
        assert (database.is_new, database.damaged) == (False, None)
        assert words(database) == ["new"]

    with_database(tmp_path, claim)
    for number in (1, 2):
        damage(path)
        content = path.read_bytes()
        with_database(tmp_path, damaged)
        assert (tmp_path / f"words.sqlite.damaged-{number}").read_bytes() == content
        with_database(tmp_path, whole)


def test_an_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "words.sqlite").touch()

    async def claim(database: Database) -> None:
        assert (database.is_new, database.damaged) == (True, None)

    with_database(tmp_path, claim)


def test_damage_under_way_is_said_by_the_files_name(tmp_path: Path) -> None:
    async def claim(database: Database) -> None:
        await database.change(lambda: add(database, "old"))
        await asyncio.to_thread(zeroed, tmp_path / "words.sqlite")
        for _ in range(2):
            with pytest.raises(Damaged) as told:
                await database.change(lambda: words(database))
            assert told.value.data == {"file": "words.sqlite"}
        with pytest.raises(Damaged):
            words(database)

    with_database(tmp_path, claim)


def test_what_a_killed_process_had_committed_is_there(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    killed = (
        "import asyncio, os, sys; from pathlib import Path; from actors.database import Database\n"
        "db = Database(Path(sys.argv[1]), sys.argv[2])\n"
        "asyncio.run(db.change(lambda: db.execute('INSERT INTO words VALUES (?)', [('kept',)])))\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", killed, path, SCHEMA], check=False).returncode == -9

    async def claim(database: Database) -> None:
        assert database.is_new is False
        assert words(database) == ["kept"]

    with_database(tmp_path, claim)


def test_what_lay_beside_a_file_that_is_gone_is_not_taken_for_changes_of_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    (tmp_path / "words.sqlite.new").write_bytes(b"half of one")

    async def claim(database: Database) -> None:
        await database.change(lambda: add(database, "old"))
        assert (tmp_path / "words.sqlite-wal").stat().st_size
        (tmp_path / "words.sqlite-wal").rename(tmp_path / "wal")

    async def again(database: Database) -> None:
        assert database.is_new is True
        assert database.damaged == tmp_path / "words.sqlite.damaged-1"
        assert words(database) == []

    with_database(tmp_path, claim)
    path.unlink()
    (tmp_path / "wal").rename(tmp_path / "words.sqlite-wal")
    with_database(tmp_path, again)
    assert (tmp_path / "words.sqlite.damaged-1-wal").stat().st_size
    assert {each.name for each in tmp_path.iterdir()} == {"words.sqlite", "words.sqlite.damaged-1-wal"}
