"""A session's documents on disk: without it, a restart would forget their order and edits."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.buffer.labels import labelled, rebuilt
from actors.buffer.model import Edit, Entry, Model, page_id_of
from actors.database import Database
from bus.vault import Vault
from schemas.buffer import Document
from schemas.errors import Damaged
from schemas.page import Page

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (document_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, name BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pages (
    page_id TEXT PRIMARY KEY,
    document_id TEXT NOT NULL,
    rank INTEGER NOT NULL,
    page BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS removed (job_id TEXT, number INTEGER, PRIMARY KEY (job_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS default_tag (one INTEGER PRIMARY KEY CHECK (one = 1), tag BLOB NOT NULL);
"""
_WRITE_DOCUMENT = """
INSERT INTO documents VALUES (?, ?, ?)
ON CONFLICT (document_id) DO UPDATE SET revision = excluded.revision, name = excluded.name
"""
_WRITE_PAGE = """
INSERT INTO pages VALUES (?, ?, ?, ?)
ON CONFLICT (page_id) DO UPDATE SET document_id = excluded.document_id, rank = excluded.rank, page = excluded.page
"""


class Ledger:
    """One session's file; a commit writes the rows that an edit changes and no others.

    Names, tags and what is known of images are sealed by the session's vault. Making one raises StorageFull,
    StorageFailed.
    """

    def __init__(self, path: Path, vault: Vault, *, lost: bool = False) -> None:
        self._vault = vault
        was_there = path.exists()
        self._db = Database(path, _SCHEMA)
        self.rebuilt = lost or (was_there and self._db.is_new)
        """Whether what was in it is lost, so that it must be made of what images say of themselves."""
        self.lost: list[str] = []
        """Pages that could not be read, nor made again."""

    async def load(self) -> Model:
        """What was committed. Raises Damaged, StorageFailed."""
        return await self._db.change(self._load)

    async def commit(self, edit: Edit) -> None:
        """Make an edit durable, or nothing of it. Raises Damaged, StorageFull, StorageFailed."""
        await self._db.change(lambda: self._write(edit))

    def close(self) -> None:
        """Finish what is under way and close the file."""
        self._db.close()

    def _load(self) -> Model:
        if self.rebuilt:
            model = rebuilt(labelled(self._vault))
            self._write(model.whole())
            return model
        edit, unread = Edit(), {}
        for document_id, revision, name in self._db.rows("SELECT * FROM documents ORDER BY rowid"):
            opened = self._opened(name, f"document {document_id}")
            document = Document(document_id=document_id, revision=revision, name=(opened or b"").decode())
            edit.documents[document_id] = document
            edit.orders[document_id] = []
        for page_id, document_id, rank, page in self._db.rows("SELECT * FROM pages ORDER BY rank, page_id"):
            opened = self._opened(page, f"page {page_id}")
            edit.orders.setdefault(document_id, []).append(page_id)
            if opened is None:
                unread[page_id] = (document_id, rank)
            else:
                edit.written[page_id] = Entry(msgspec.msgpack.decode(opened, type=Page), document_id, rank)
        for (tag,) in self._db.rows("SELECT tag FROM default_tag"):
            edit.default_tag = (self._opened(tag, "default tag") or b"").decode()
        edit.forgotten = self._db.rows("SELECT job_id, number FROM removed")
        if unread:
            self._mend(edit, unread)
        for document_id, order in edit.orders.items():
            document = edit.documents.get(document_id) or Document(document_id=document_id)
            edit.documents[document_id] = replace(document, pages=len(order))
        model = Model()
        model.apply(edit)
        return model

    def _mend(self, edit: Edit, unread: dict[str, tuple[str, int]]) -> None:
        """Make rows that are damaged anew, without their edits, of what images say of themselves."""
        shown = {entry.page.image.blob.name for entry in edit.written.values()}
        found = {page_id_of(each.label.job_id, each.label.number): each for each in labelled(self._vault, shown)}
        for page_id, (document_id, rank) in unread.items():
            if page_id in found:
                edit.written[page_id] = Entry(found[page_id].page(), document_id, rank)
            else:
                self.lost.append(page_id)
                edit.orders[document_id].remove(page_id)
        self._db.execute("DELETE FROM pages WHERE page_id = ?", [(page_id,) for page_id in unread])
        self._write(Edit(written={page_id: edit.written[page_id] for page_id in unread if page_id in found}))

    def _write(self, edit: Edit) -> None:
        seal, execute = self._vault.seal, self._db.execute
        execute("DELETE FROM documents WHERE document_id = ?", [(each,) for each in edit.gone])
        documents: list[tuple[Any, ...]] = []
        for key, document in edit.documents.items():
            documents.append((key, document.revision, seal(document.name.encode(), f"document {key}")))
        execute(_WRITE_DOCUMENT, documents)
        execute("DELETE FROM pages WHERE page_id = ?", [(each,) for each in edit.removed])
        pages: list[tuple[Any, ...]] = []
        for key, entry in edit.written.items():
            page = seal(msgspec.msgpack.encode(entry.page), f"page {key}")
            pages.append((key, entry.document_id, entry.rank, page))
        execute(_WRITE_PAGE, pages)
        placed = [(entry.document_id, entry.rank, key) for key, entry in edit.placed.items()]
        execute("UPDATE pages SET document_id = ?, rank = ? WHERE page_id = ?", placed)
        execute("INSERT OR IGNORE INTO removed VALUES (?, ?)", edit.forgotten)
        if edit.default_tag is not None:
            tag = seal(edit.default_tag.encode(), "default tag")
            execute("INSERT OR REPLACE INTO default_tag VALUES (1, ?)", [(tag,)])

    def _opened(self, sealed: bytes, identity: str) -> bytes | None:
        try:
            return self._vault.unseal(sealed, identity)
        except Damaged:
            return None
