"""What a scan that broke off has lost, and what a person can do: without it, "press Scan" would lose a page."""

from schemas.device import Settings
from schemas.errors import (
    Canceled,
    CoverOpen,
    DoubleFeed,
    DriverFailed,
    Failure,
    FeederEmpty,
    InUse,
    Lost,
    Offline,
    PaperJam,
    RequestError,
    ScanbusError,
    WarmingUp,
)
from schemas.page import Source

_NOTHING_MOVED = (RequestError, FeederEmpty, InUse, WarmingUp)
_NOT_AT_THE_START = (*_NOTHING_MOVED, CoverOpen, Offline)
_FIRST = {PaperJam: "Clear the jam", DoubleFeed: "Take the sheets apart", CoverOpen: "Close the cover"}


def may_have_fed(error: ScanbusError, settings: Settings, *, pages: int, begun: bool) -> bool:
    """Whether a page after the `pages` that are kept has left the feeder, or may have; `begun`: its image has."""
    if begun:
        return True
    if settings.source is Source.FLATBED:
        return False
    return not isinstance(error, _NOTHING_MOVED if pages else _NOT_AT_THE_START)


def can_go_on(error: ScanbusError, *, pages: int, gap: int) -> bool:
    """Whether it makes sense to wait for a person: something is at stake, and asking again can help."""
    return bool(pages or gap) and not isinstance(error, RequestError | Canceled)


def why(error: ScanbusError, settings: Settings, *, pages: int, gap: int) -> Failure:
    """The error with what is kept, what is not, and what to put back."""
    happened = f"{error.text.partition('. ')[0].rstrip('.')}."
    missing = _missing(settings, gap) if gap else ""
    data = {"pages": str(pages), **({"gap": str(gap)} if gap else {})}
    text = " ".join(part for part in (happened, missing, _advice(error, settings, pages, gap)) if part)
    return Failure(code=error.code, text=text, data={**error.data, **data})


def _missing(settings: Settings, gap: int) -> str:
    if settings.source is not Source.DUPLEX:
        return f"Page {gap} was not kept."
    side = "front" if gap % 2 else "back"
    return f"Page {gap}, the {side} of sheet {(gap + 1) // 2}, was not kept."


def _advice(error: ScanbusError, settings: Settings, pages: int, gap: int) -> str:
    if settings.source is Source.FLATBED:
        return f"Put page {gap or pages + 1} on the glass and continue."
    if isinstance(error, FeederEmpty):
        return f"Load the sheets that are missing and continue, or stop: {pages} pages are kept."
    first = next((words for kind, words in _FIRST.items() if isinstance(error, kind)), "")
    if not gap:
        return f"{first or 'Look at the scanner'} and continue."
    what = "both" if isinstance(error, DoubleFeed) else "that sheet"
    if isinstance(error, Lost | DriverFailed):
        what = "that sheet, and those that went through after it,"
    put = f"put {what} (and, if you like, the last good ones) back on top and continue."
    return f"{first}, {put}" if first else f"P{put[1:]}"
