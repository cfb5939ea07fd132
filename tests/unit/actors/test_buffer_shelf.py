"""Sessions that nobody uses take neither memory nor open files."""

import asyncio
import os
from pathlib import Path

from actors.buffer.edits import plan
from actors.buffer.shelf import Shelf
from bus.blobs import BlobStore
from schemas.buffer import FIRST, CreateDocument, RenameDocument

SESSION, OTHER = "0" * 32, "1" * 32
IDLE_S = 300.0


def open_files(folder: Path) -> set[str]:
    """The sessions whose files this process has open."""
    files = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return {Path(file).name.partition(".")[0] for file in files if Path(file).parent == folder}


def test_a_session_that_was_not_used_for_long_is_closed_and_comes_back_as_it_was(tmp_path: Path) -> None:
    async def lived() -> None:
        now_s = [1000.0]
        store = BlobStore(tmp_path)
        for session in (SESSION, OTHER):
            store.begin(session)
        shelf = Shelf(store, lambda: now_s[0])
        for session in (SESSION, OTHER):
            book = await shelf.open(session)
            with shelf.use(session):
                await book.commit(plan(book.model, RenameDocument(document_id=FIRST, name=session), str))
        assert open_files(tmp_path / "buffer") == {SESSION, OTHER}
        now_s[0] += IDLE_S - 1
        with shelf.use(SESSION):
            now_s[0] += 2 * IDLE_S
            shelf.close_idle(IDLE_S)
            assert (shelf.has(SESSION), shelf.has(OTHER)) == (True, False)
        assert open_files(tmp_path / "buffer") == {SESSION}
        assert (await shelf.open(OTHER)).model.document(FIRST).name == OTHER
        now_s[0] += IDLE_S
        shelf.close_idle(IDLE_S)
        assert open_files(tmp_path / "buffer") == set()
        shelf.close()

    asyncio.run(lived())


def test_a_session_that_is_dropped_leaves_no_file(tmp_path: Path) -> None:
    async def lived() -> None:
        store = BlobStore(tmp_path)
        store.begin(SESSION)
        shelf = Shelf(store, lambda: 0.0)
        book = await shelf.open(SESSION)
        await book.commit(plan(book.model, CreateDocument(), lambda: OTHER))
        (tmp_path / "buffer" / f"{SESSION}.sqlite.damaged-1").touch()
        shelf.drop(SESSION)
        assert list((tmp_path / "buffer").iterdir()) == []

    asyncio.run(lived())
