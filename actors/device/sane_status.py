"""SANE's statuses as our errors and back: without it, each caller of SANE would have a table of its own."""

from enum import IntEnum

from schemas.errors import (
    Canceled,
    CoverOpen,
    Denied,
    DriverFailed,
    FeederEmpty,
    InUse,
    Invalid,
    Offline,
    PaperJam,
    ScanbusError,
    Unsupported,
)


class Status(IntEnum):
    """SANE's statuses, by their number in its interface."""

    GOOD = 0
    UNSUPPORTED = 1
    CANCELLED = 2
    DEVICE_BUSY = 3
    INVAL = 4
    EOF = 5
    JAMMED = 6
    NO_DOCS = 7
    COVER_OPEN = 8
    IO_ERROR = 9
    NO_MEM = 10
    ACCESS_DENIED = 11


STATUSES: dict[int, tuple[type[ScanbusError], str]] = {
    Status.UNSUPPORTED: (Unsupported, "The scanner cannot do that. Choose other settings."),
    Status.CANCELLED: (Canceled, "The scan was canceled at the scanner. What was finished before is kept."),
    Status.DEVICE_BUSY: (InUse, ""),
    Status.INVAL: (Invalid, "The scanner refused these settings. Choose others."),
    Status.EOF: (DriverFailed, "The scanner's driver ended the image before it began. Press Scan again."),
    Status.JAMMED: (PaperJam, ""),
    Status.NO_DOCS: (FeederEmpty, ""),
    Status.COVER_OPEN: (CoverOpen, ""),
    Status.IO_ERROR: (Offline, ""),
    Status.NO_MEM: (
        DriverFailed,
        "The scanner's driver has no memory left. Choose a lower resolution or a smaller area.",
    ),
    Status.ACCESS_DENIED: (
        Denied,
        "The scanner does not let us in. It may need a password, or this user must join the group `scanner`.",
    ),
}
"""SANE's statuses by number: the error, and a text where the error's own does not fit."""


def error_of(status: int) -> ScanbusError:
    """The error that a status of SANE stands for; one that is not in the table is DriverFailed."""
    kind, text = STATUSES.get(status, (DriverFailed, f"The scanner's driver failed with status {status}. Try again."))
    return kind(text)


def status_of(error: ScanbusError) -> Status | None:
    """The status that `error_of` made this error of; None where it came from elsewhere."""
    made = {status: error_of(status) for status in Status if status in STATUSES}
    return next(
        (status for status, each in made.items() if type(each) is type(error) and each.text == error.text), None
    )
