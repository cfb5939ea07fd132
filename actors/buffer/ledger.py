"""A session's documents on disk: without it, a restart would forget their order and edits."""

from pathlib import Path

import msgspec

from actors.buffer.model import Edit, Entry, Model
from actors.database import Database
from schemas.buffer import Document
from schemas.page import Page

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (document_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pages (
    page_id TEXT PRIMARY KEY,
    document_id TEXT NOT NULL,
    rank INTEGER NOT NULL,
    page BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS removed (job_id TEXT, number INTEGER, PRIMARY KEY (job_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS default_tag (one INTEGER PRIMARY KEY CHECK (one = 1), tag TEXT NOT NULL);
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
    """One session's file; a commit writes the rows that an edit changes and no others."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA)

    async def load(self) -> Model:
        """What was committed. Raises StorageFailed."""
        return await self._db.change(lambda: self._load(Model()))

    async def commit(self, edit: Edit) -> None:
        """Make an edit durable, or nothing of it. Raises StorageFull, StorageFailed."""
        await self._db.change(lambda: self._write(edit))

    def close(self) -> None:
        """Finish what is under way and close the file."""
        self._db.close()

    def _load(self, model: Model) -> Model:
        edit = Edit()
        for document_id, revision, name in self._db.rows("SELECT * FROM documents ORDER BY rowid"):
            edit.documents[document_id] = Document(document_id=document_id, revision=revision, name=name)
            edit.orders[document_id] = []
        for page_id, document_id, rank, page in self._db.rows("SELECT * FROM pages ORDER BY rank, page_id"):
            edit.written[page_id] = Entry(msgspec.msgpack.decode(page, type=Page), document_id, rank)
            edit.orders[document_id].append(page_id)
        for document_id, document in edit.documents.items():
            edit.documents[document_id] = msgspec.structs.replace(document, pages=len(edit.orders[document_id]))
        for (tag,) in self._db.rows("SELECT tag FROM default_tag"):
            edit.default_tag = tag
        model.apply(edit)
        for job_id, number in self._db.rows("SELECT job_id, number FROM removed"):
            model.forget(job_id, number)
        return model

    def _write(self, edit: Edit) -> None:
        execute = self._db.execute
        execute("DELETE FROM documents WHERE document_id = ?", [(each,) for each in edit.gone])
        execute(_WRITE_DOCUMENT, [(each.document_id, each.revision, each.name) for each in edit.documents.values()])
        execute("DELETE FROM pages WHERE page_id = ?", [(each,) for each in edit.removed])
        execute(
            _WRITE_PAGE,
            [
                (page_id, entry.document_id, entry.rank, msgspec.msgpack.encode(entry.page))
                for page_id, entry in edit.written.items()
            ],
        )
        execute(
            "UPDATE pages SET document_id = ?, rank = ? WHERE page_id = ?",
            [(entry.document_id, entry.rank, page_id) for page_id, entry in edit.placed.items()],
        )
        fed = [(page.job_id, page.number) for page in edit.removed.values() if page.job_id]
        execute("INSERT OR IGNORE INTO removed VALUES (?, ?)", fed)
        if edit.default_tag is not None:
            execute("INSERT OR REPLACE INTO default_tag VALUES (1, ?)", [(edit.default_tag,)])
