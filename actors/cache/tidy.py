"""What goes by itself: what a crash left behind, what nobody owns, and what can be made again where room is short."""

import time
from contextlib import suppress

from actors.cache.account import Account
from actors.cache.book import UNKNOWN, Book
from bus.blobs import NAME, BlobStore
from schemas.config import CacheConfig
from schemas.errors import Damaged, NotFound

UNOWNED_S = 86400.0
"""How old a blob without an owner gets: long enough for whoever wrote it to say whose it is, room or not."""
UNOWNED_PAGE_S = 7 * 86400.0
"""The same for a page (it has a label): somebody scanned it, and may still miss it."""
UNFINISHED_S = 10.0
"""How old a file gets whose writer has died: longer than it takes from making it to saying that it is written."""
UNREADABLE_S = 7 * 86400.0
"""How long is kept what no key opens: its key may be put back."""
FRESH_S = 60.0
"""A picture that was made so recently may be on its way to whoever asked for it."""
EVICTED_BYTES = 64 << 20
"""How much goes at once where room is short."""


class Tidy:
    """Each method is part of one of the database's changes. They raise StorageFailed."""

    def __init__(self, store: BlobStore, book: Book, account: Account, config: CacheConfig) -> None:
        self._store = store
        self._book = book
        self._account = account
        self._config = config

    def meet(self) -> None:
        """Get to know what is there: a session that is not in the book, as that was damaged, owns all that it has."""
        self._store.tidy_keys()
        known = self._book.known()
        there = self._store.sessions()
        for session in known - set(there):
            self._book.end(session)
        self._account.recount()
        for session in there:
            if session not in known:
                sizes = self._store.names(session)
                begun_at = self._store.begun_at(session)
                self._book.use(session, None, time.time() if sizes else begun_at, begun_at)
                self._book.hold(session, UNKNOWN, filter(NAME.fullmatch, sizes))

    def sweep(self, session: str) -> bool:
        """Delete what nobody needs, and the session too if that is true of it: tells whether it is."""
        sizes, owned = self._store.names(session), self._book.owned(session)
        for name in set(sizes) - owned:
            # A page that was finished since is no longer where it was.
            with suppress(FileNotFoundError):
                if self._is_left(session, name):
                    self._store.delete(session, name)
                    del sizes[name]
        self._account.count(session, sizes)
        idle_s = time.time() - self._book.used_at(session, self._store.begun_at(session))
        days = self._config.session_idle_days
        left = idle_s > (self._config.empty_session_s if not sizes else days * 86400 or float("inf"))
        if left:
            self.end(session)
        return left

    def finish(self, session: str) -> bool:
        """Delete what a crash left of a session that has ended; tells that it is gone."""
        self.end(session)
        return True

    def bury(self, session: str) -> bool:
        """Delete a session that no key opens, unless one may be put back: tells whether it is gone."""
        left = self._config.volatile or time.time() - self._store.touched_at(session) > UNREADABLE_S
        if left:
            self.end(session)
        return left

    def end(self, session: str) -> None:
        """Destroy a session's key and delete all that it kept."""
        self._store.end(session)
        self._book.end(session)
        self._account.count(session, {})

    def delete(self, session: str, name: str) -> int:
        """Delete a blob; gives how many bytes it took."""
        self._store.delete(session, name)
        return self._account.remove(session, name)

    def evict(self) -> bool:
        """Delete the oldest pictures that can be made again; gives whether there were any."""
        ages: list[tuple[float, str, str]] = []
        for session, name in self._book.made_again():
            with suppress(FileNotFoundError):
                ages.append((self._store.age_s(session, name), session, name))
        gone_bytes = 0
        for age_s, session, name in sorted(ages, reverse=True):
            if age_s > FRESH_S and gone_bytes < EVICTED_BYTES:
                self._book.lose(session, name)
                gone_bytes += self.delete(session, name)
        return gone_bytes > 0

    def _is_left(self, session: str, name: str) -> bool:
        age_s = self._store.age_s(session, name)
        if not NAME.fullmatch(name):
            return age_s > UNFINISHED_S and self._store.blobs(session).abandoned(name)
        if age_s <= UNOWNED_S:
            return False
        return age_s > UNOWNED_PAGE_S or not self._is_page(session, name)

    def _is_page(self, session: str, name: str) -> bool:
        try:
            return bool(self._store.label(session, name))
        except (Damaged, NotFound):
            return True
