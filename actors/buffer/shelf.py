"""The sessions whose documents are in memory: opened when first used, closed when nobody uses them."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.buffer.labels import labelled
from actors.buffer.ledger import Ledger
from actors.buffer.model import Edit, Model
from bus.blobs import BlobStore
from bus.durable import make_folder, storage
from bus.vault import Vault
from schemas.errors import Damaged
from schemas.page import Page


class Book:
    """One session's documents; the model has only what the ledger has."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self.model = Model()
        self.vault = vault
        self.changing = asyncio.Lock()
        """Held from a look at the model to the end of what follows from it."""
        self.lost: list[str] = []
        """Pages that could not be read when it was opened."""
        self.found: list[Page] = []
        """Pages that were in no list when it was opened, and that nobody has been told of."""
        self.rebuilt = False
        """Whether all of it was lost, and made anew of what the images say of themselves."""
        self.missing = False
        """Whether there was no file for them, as a power loss leaves it before the first page is acknowledged."""
        self.users = 0
        self.used_at = 0.0
        self._path = path
        self._ledger: Ledger | None = None

    async def open(self, *, lost: bool) -> None:
        """Read what was committed. Raises Damaged, StorageFull, StorageFailed."""
        self.missing = lost and bool(await asyncio.to_thread(labelled, self.vault))
        if self.missing or self._path.exists():
            self._ledger = await asyncio.to_thread(Ledger, self._path, self.vault, lost=lost)
            self.model = await self._ledger.load()
            self.lost, self.rebuilt = self._ledger.lost, self._ledger.rebuilt

    async def commit(self, edit: Edit) -> None:
        """Make an edit durable, then have the model follow. Raises StorageFull, StorageFailed; then nothing changed."""
        if self._ledger is None:
            self._ledger = Ledger(self._path, self.vault)
        try:
            await self._ledger.commit(edit)
        except Damaged:
            # The file is set aside, and the new one gets all that was in it: it is in memory.
            self._ledger.close()
            self._ledger = Ledger(self._path, self.vault)
            await self._ledger.commit(self.model.whole())
            await self._ledger.commit(edit)
        self.model.apply(edit)

    def close(self) -> None:
        """Close the file."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


class Shelf:
    """A folder with one file for each session that has something to remember."""

    def __init__(self, store: BlobStore, now: Callable[[], float]) -> None:
        self._store = store
        self._folder = store.folder / "buffer"
        self._now = now
        self._books: dict[str, Book] = {}
        self._opening = asyncio.Lock()
        with storage():
            make_folder(self._folder)
            names = os.listdir(self._folder)
        self.earlier = set(store.sessions())
        """Sessions of an earlier life."""
        for session in {name.partition(".")[0] for name in names} - self.earlier:
            self.drop(session)
        self._lost = self.earlier - {name.removesuffix(".sqlite") for name in names}
        """Those without a file: either nothing was in it, or it is lost."""

    def drop(self, session: str) -> None:
        """Forget a session, and delete its file. Raises StorageFailed."""
        book = self._books.pop(session, None)
        if book is not None:
            book.close()
        with storage():
            for path in self._folder.glob(f"{session}.sqlite*"):
                path.unlink(missing_ok=True)

    def has(self, session: str) -> bool:
        """Whether a session's book is open."""
        return session in self._books

    async def open(self, session: str) -> Book:
        """Open a session's book, if it is not. Raises NotFound (no such session), StorageFull, StorageFailed."""
        async with self._opening:
            if session not in self._books:
                book = Book(self._folder / f"{session}.sqlite", self._store.vault(session))
                try:
                    await book.open(lost=session in self._lost)
                except BaseException:
                    book.close()
                    raise
                self._lost.discard(session)
                self._books[session] = book
                book.used_at = self._now()
            return self._books[session]

    @contextmanager
    def use(self, session: str) -> Iterator[Book]:
        """A session's open book, which stays open until the end of the block."""
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
