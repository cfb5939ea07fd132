"""The sessions whose documents are in memory: opened when first used, closed when nobody uses them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from actors.buffer.ledger import Ledger
from actors.buffer.model import Edit, Model
from schemas.errors import StorageFailed

_SUFFIXES = (".sqlite", ".sqlite-wal", ".sqlite-shm")


class Book:
    """One session's documents; the model has only what the ledger has."""

    def __init__(self, path: Path, model: Model, ledger: Ledger | None) -> None:
        self.model = model
        self.changing = asyncio.Lock()
        """Held from a look at the model to the end of what follows from it."""
        self.users = 0
        self.used_at = 0.0
        self._path = path
        self._ledger = ledger

    async def commit(self, edit: Edit) -> None:
        """Make an edit durable, then have the model follow. Raises StorageFull, StorageFailed; then nothing changed."""
        if self._ledger is None:
            self._ledger = Ledger(self._path)
        await self._ledger.commit(edit)
        self.model.apply(edit)

    def close(self) -> None:
        """Close the file."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


class Shelf:
    """A folder with one file for each session that has something to remember."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self._folder = folder
        self._now = now
        self._books: dict[str, Book] = {}
        self._loading = asyncio.Lock()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StorageFailed(f"The folder {folder} cannot be made: {error.strerror}.") from error

    def keep(self, sessions: Collection[str]) -> None:
        """Delete the files of all other sessions."""
        for path in self._folder.glob("*.sqlite"):
            if path.stem not in sessions:
                self.drop(path.stem)

    def drop(self, session: str) -> None:
        """Forget a session, and delete its file."""
        book = self._books.pop(session, None)
        if book is not None:
            book.close()
        for suffix in _SUFFIXES:
            (self._folder / f"{session}{suffix}").unlink(missing_ok=True)

    @asynccontextmanager
    async def book(self, session: str) -> AsyncIterator[Book]:
        """A session's book, open at least until the end of the block. Raises StorageFailed."""
        if session not in self._books:
            async with self._loading:
                if session not in self._books:
                    self._books[session] = await self._load(session)
        book = self._books[session]
        book.users += 1
        try:
            yield book
        finally:
            book.users -= 1
            book.used_at = self._now()

    def close_idle(self, idle_s: float) -> None:
        """Close the books that nobody has used for so long."""
        for session, book in list(self._books.items()):
            if not book.users and self._now() - book.used_at >= idle_s:
                self._books.pop(session).close()

    def close(self) -> None:
        """Close all books."""
        for book in self._books.values():
            book.close()
        self._books.clear()

    async def _load(self, session: str) -> Book:
        path = self._folder / f"{session}.sqlite"
        if not path.exists():
            return Book(path, Model(), None)
        ledger = Ledger(path)
        try:
            return Book(path, await ledger.load(), ledger)
        except BaseException:
            ledger.close()
            raise
