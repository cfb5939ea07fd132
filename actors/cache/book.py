"""Which sessions there are and who owns which blobs: without it, the actor would be SQL."""

from collections.abc import Iterable

from actors.database import Database
from schemas.cache import Stay
from schemas.errors import Denied, NotFound

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    session TEXT PRIMARY KEY,
    origin TEXT,
    begun_at REAL NOT NULL,
    used_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (
    session TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    again INTEGER NOT NULL,
    PRIMARY KEY (session, owner, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_name ON owners (session, name, again);
"""
UNKNOWN = "unknown:"
"""Owns what nobody knows the owners of any more."""
_USE = """
INSERT INTO sessions VALUES (?, ?, ?, ?) ON CONFLICT (session)
DO UPDATE SET used_at = excluded.used_at, origin = COALESCE(origin, excluded.origin)
"""
_HOLD = """
INSERT INTO owners VALUES (?, ?, ?, ?) ON CONFLICT (session, owner, name)
DO UPDATE SET again = MIN(again, excluded.again)
"""
_STAY = "SELECT origin, begun_at, used_at FROM sessions"
_AGAIN = "SELECT session, name FROM owners GROUP BY session, name HAVING MIN(again) = 1"


class Book:
    """What is written down; whatever changes it is part of one of the database's changes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def use(self, session: str, origin: str | None, now: float, begun_at: float | None = None) -> None:
        """Note that a session is used. Whose it is is noted once: None if that is not known now."""
        self._db.execute(_USE, [(session, origin, now if begun_at is None else begun_at, now)])

    def known(self) -> set[str]:
        """The sessions that were noted."""
        return {session for (session,) in self._db.rows("SELECT session FROM sessions")}

    def used_at(self, session: str, otherwise: float) -> float:
        """When a session was used."""
        rows = self._db.rows("SELECT used_at FROM sessions WHERE session = ?", session)
        return float(rows[0][0]) if rows else otherwise

    def stay(self, session: str) -> Stay:
        """One session. Raises NotFound, and Denied where it is not known whose it is."""
        for origin, begun, used in self._db.rows(f"{_STAY} WHERE session = ?", session):
            if origin is None:
                raise Denied("Nobody knows any more which page this session belongs to: open it again.")
            return Stay(session_id=session, origin=origin, begun_at=begun, used_at=used)
        raise NotFound("There is no such session.")

    def stays(self, origin: str) -> list[Stay]:
        """The sessions of an origin, the one that began last first."""
        rows = self._db.rows("SELECT session FROM sessions WHERE origin = ? ORDER BY begun_at DESC, session", origin)
        return [self.stay(session) for (session,) in rows]

    def hold(self, session: str, owner: str, names: Iterable[str], *, again: bool = False) -> None:
        """An owner more."""
        self._db.execute(_HOLD, [(session, owner, name, again) for name in names])

    def let_go(self, session: str, owners: Iterable[str]) -> set[str]:
        """Fewer owners; gives what nobody owns any more."""
        query = "SELECT name FROM owners WHERE session = ? AND owner = ?"
        owners = list(owners)
        names = {name for owner in owners for (name,) in self._db.rows(query, session, owner)}
        self._db.execute("DELETE FROM owners WHERE session = ? AND owner = ?", [(session, each) for each in owners])
        return {name for name in names if not self._is_owned(session, name)}

    def owners(self, session: str) -> set[str]:
        """All owners in a session."""
        return {owner for (owner,) in self._db.rows("SELECT DISTINCT owner FROM owners WHERE session = ?", session)}

    def owned(self, session: str) -> set[str]:
        """The blobs of a session that somebody owns."""
        return {name for (name,) in self._db.rows("SELECT DISTINCT name FROM owners WHERE session = ?", session)}

    def made_again(self) -> list[tuple[str, str]]:
        """Sessions and names of blobs that can be made again."""
        return [(session, name) for session, name in self._db.rows(_AGAIN)]

    def lose(self, session: str, name: str) -> None:
        """A blob is gone, whoever owned it."""
        self._db.execute("DELETE FROM owners WHERE session = ? AND name = ?", [(session, name)])

    def end(self, session: str) -> None:
        """A session is gone."""
        for table in ("sessions", "owners"):
            self._db.execute(f"DELETE FROM {table} WHERE session = ?", [(session,)])  # noqa: S608

    def _is_owned(self, session: str, name: str) -> bool:
        return bool(self._db.rows("SELECT 1 FROM owners WHERE session = ? AND name = ?", session, name))
