"""Scans on disk: without it, nobody could come back to one after a crash."""

from pathlib import Path

import msgspec
from msgspec import Struct

from actors.database import Database
from schemas.device import Job, Settings

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    record BLOB NOT NULL
);
"""
_SAVE = """
INSERT INTO jobs (job_id, session, record) VALUES (?, ?, ?)
ON CONFLICT (job_id) DO UPDATE SET record = excluded.record
"""


class Plan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for; it does not change while the scan goes on."""

    session: str
    settings: Settings = Settings()
    after_page_id: str = ""
    pause_s: float = 0.0


class Record(Struct, frozen=True, kw_only=True):
    """One scan: what was asked for, and how far it is."""

    plan: Plan
    job: Job


class Records:
    """The scans of every session, in the order in which they began. Changes raise StorageFull, StorageFailed."""

    def __init__(self, folder: Path) -> None:
        self._db = Database(folder / "jobs.sqlite", _SCHEMA)

    async def save(self, record: Record) -> None:
        """Keep a scan as it is now."""
        row = (record.job.job_id, record.plan.session, msgspec.msgpack.encode(record))
        await self._db.change(lambda: self._db.execute(_SAVE, [row]))

    async def forget(self, job_ids: list[str]) -> None:
        """These scans are of no use any more."""
        rows = [(job_id,) for job_id in job_ids]
        await self._db.change(lambda: self._db.execute("DELETE FROM jobs WHERE job_id = ?", rows))

    def all(self) -> list[Record]:
        """What is known. Raises StorageFailed."""
        rows = self._db.rows("SELECT record FROM jobs ORDER BY position")
        return [msgspec.msgpack.decode(record, type=Record) for (record,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._db.close()
