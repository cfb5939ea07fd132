"""An origin's sessions: without it, pages would be out of reach with the tab that scanned them."""

import asyncio
from collections.abc import Callable

from bus import Context
from schemas import cache
from schemas.buffer import ListDocuments
from schemas.device import JobState, ListJobs
from schemas.errors import Damaged, NotFound
from schemas.session import Stay

_OPEN = (JobState.PENDING, JobState.RUNNING)


async def own_session(ctx: Context, session_id: str, origin: str) -> str:
    """The id, where that session belongs to the origin. Raises NotFound."""
    found = (await ctx.on_behalf(session_id).call(cache.GetSession())).session
    if found.origin != origin:
        raise NotFound("This page has no such session. Ask for the list again: it may have ended.")
    return session_id


async def list_stays(ctx: Context, origin: str, connected: Callable[[str, str], bool]) -> list[Stay]:
    """What an origin has, used last first; `connected` tells whether a browser shows a session of it."""
    sessions = (await ctx.call(cache.ListSessions(origin=origin))).sessions
    found = await asyncio.gather(*(_stay(ctx, each, connected(each.session_id, origin)) for each in sessions))
    return sorted((stay for stay in found if stay), key=lambda stay: stay.used_at, reverse=True)


async def _stay(ctx: Context, kept: cache.Stay, connected: bool) -> Stay | None:
    """A session with what is in it; None where it has ended meanwhile."""
    inside = ctx.on_behalf(kept.session_id)
    pages, running, damaged = 0, False, kept.damaged
    try:
        if not damaged:
            pages = sum(document.pages for document in (await inside.call(ListDocuments())).documents)
            running = any(job.state in _OPEN for job in (await inside.call(ListJobs())).jobs)
    except NotFound:
        return None
    except Damaged:
        damaged = True
    return Stay(
        session_id=kept.session_id,
        pages=pages,
        begun_at=kept.begun_at,
        used_at=kept.used_at,
        running=running,
        connected=connected,
        damaged=damaged,
    )
