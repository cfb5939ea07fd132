"""Who is here: without it, a session that a person looks at for days would count as one that was left."""

from collections import Counter

from bus import Context
from schemas.cache import UseSession
from schemas.errors import ScanbusError

USE_S = 120.0
"""How often it is said that a session is being used."""


class Attendance:
    """Counts the connections of each session, and tells the cache which sessions are used, and by which origin."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._connections: Counter[tuple[str, str]] = Counter()
        self._told: dict[str, float] = {}

    def connected(self, session: str, origin: str) -> bool:
        """Whether a browser shows this session."""
        return (session, origin) in self._connections

    def enter(self, session: str, origin: str) -> None:
        """A browser has connected."""
        self._connections[session, origin] += 1

    def leave(self, session: str, origin: str) -> None:
        """A browser has gone; with the last one, the session is left."""
        if not self.connected(session, origin):
            return
        self._connections[session, origin] -= 1
        if not self._connections[session, origin]:
            del self._connections[session, origin]
            self._told.pop(session, None)
            self._ctx.spawn(self._tell(session, origin))

    def forget(self, session: str, origin: str) -> None:
        """The session is ended: nobody can be in it."""
        self._connections.pop((session, origin), None)
        self._told.pop(session, None)

    async def use(self, session: str, origin: str) -> None:
        """The session is used by its own origin: tell it, unless that was told a moment ago."""
        if self._ctx.now() - self._told.get(session, -USE_S) >= USE_S:
            self._told[session] = self._ctx.now()
            await self._tell(session, origin)

    async def keep_telling(self) -> None:
        """Tell again and again which sessions are connected."""
        while True:
            await self._ctx.sleep(USE_S)
            self._told = {session: at for session, at in self._told.items() if self._ctx.now() - at < USE_S}
            for session, origin in list(self._connections):
                await self._tell(session, origin)

    async def _tell(self, session: str, origin: str) -> None:
        try:
            await self._ctx.on_behalf(session).call(UseSession(origin=origin))
        except ScanbusError as error:
            self._ctx.log.info("could not tell that a session is used", of=session[:8], reason=error.text)
