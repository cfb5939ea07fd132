"""The one table of errors: what went wrong, and who can do something about it."""

from typing import ClassVar

from schemas.message import Message


class Failure(Message, tag="bus.failure"):
    """The body of a reply that says no."""

    code: str
    text: str
    data: dict[str, str] = {}


class ScanbusError(Exception):
    """Something went wrong.

    Try again; if it happens again, run `scanbus doctor`.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    """Whether the same request may succeed later without being changed."""

    def __init__(self, text: str = "", **data: str) -> None:
        self.text = text or " ".join(self.advice())
        self.data = data
        super().__init__(self.text)

    @classmethod
    def advice(cls) -> list[str]:
        """The sentences that a person reads: what happened, then what to do."""
        lines = [line.strip() for line in (cls.__doc__ or "").splitlines()]
        return [line for line in lines if line]

    def failure(self) -> Failure:
        """This error as a letter's body."""
        return Failure(code=self.code, text=self.text, data=self.data)


class RequestError(ScanbusError):
    """The request cannot be done as it was asked.

    Change the request.
    """

    code = "invalid"
    http_status = 400


class Invalid(RequestError):
    """The request is not well formed.

    Correct the field that is named.
    """


class Unsupported(RequestError):
    """This device or service cannot do that.

    Choose one of the values that it offers.
    """

    code = "unsupported"
    http_status = 422


class Denied(RequestError):
    """That is not allowed.

    Ask the person at the computer, or its administrator, to allow it.
    """

    code = "denied"
    http_status = 403


class WrongPassword(RequestError):
    """The password is wrong.

    Type it again: capital and small letters differ.
    """

    code = "wrong_password"
    http_status = 403


class NotFound(RequestError):
    """There is no such thing here.

    Ask for the list again: it may have gone.
    """

    code = "not_found"
    http_status = 404


class Conflict(RequestError):
    """Something else happened first.

    Ask for the current state, then decide again.
    """

    code = "conflict"
    http_status = 409


class TooLarge(RequestError):
    """That is larger than the limit.

    Send less at once.
    """

    code = "too_large"
    http_status = 413


class ServiceError(ScanbusError):
    """The service could not do it.

    Try again in a moment.
    """

    code = "internal"
    http_status = 500


class Busy(ServiceError):
    """Too much is waiting already.

    Try again in a moment.
    """

    code = "busy"
    http_status = 503
    retryable = True


class Unavailable(ServiceError):
    """This part of the service is not running.

    The rest works on; `scanbus status` says why it stopped.
    """

    code = "unavailable"
    http_status = 503
    retryable = True


class Lost(ServiceError):
    """The process that worked on it ended before it was done.

    It was started again: try once more.
    """

    code = "lost"
    http_status = 502
    retryable = True


class DeadlineExceeded(ServiceError):
    """It took longer than the caller would wait.

    Try again, or allow more time.
    """

    code = "deadline"
    http_status = 504
    retryable = True


class Canceled(ServiceError):
    """It was canceled.

    What was finished before is kept.
    """

    code = "canceled"
    http_status = 409


class StorageFull(ServiceError):
    """There is no space left to keep pages.

    Free some disk space and scan again; the finished pages are safe.
    """

    code = "storage_full"
    http_status = 507
    retryable = True


class StorageFailed(ServiceError):
    """The folder that keeps pages cannot be written.

    Make it writable again and scan once more; the finished pages are safe.
    """

    code = "storage_failed"
    http_status = 500
    retryable = True


class Damaged(ServiceError):
    """What was kept here is damaged and cannot be read.

    Everything else is whole: scan this page again, then remove this one.
    """

    code = "damaged"
    http_status = 500


class Internal(ServiceError):
    """Scanbus made a mistake.

    Try again; if it happens again, report it with the log.
    """


class DeviceError(ScanbusError):
    """The scanner needs attention.

    Look at the scanner, then press Scan again.
    """

    code = "driver_failed"
    http_status = 502
    retryable = True


class Offline(DeviceError):
    """The scanner does not answer.

    Check that it is switched on and connected, then press Scan.
    """

    code = "offline"
    http_status = 503


class InUse(DeviceError):
    """The scanner is in use.

    Wait until the other scan has ended, then press Scan.
    """

    code = "in_use"
    http_status = 423


class WarmingUp(DeviceError):
    """The scanner is warming up.

    Wait a moment, then press Scan.
    """

    code = "warming_up"
    http_status = 503


class FeederEmpty(DeviceError):
    """The feeder is empty.

    Load paper and press Scan.
    """

    code = "feeder_empty"
    http_status = 409


class PaperJam(DeviceError):
    """Paper is jammed in the feeder.

    Clear the jam, load the pages that are missing and press Scan.
    """

    code = "paper_jam"
    http_status = 409


class DoubleFeed(DeviceError):
    """Two sheets went through at once.

    Put the last sheets back into the feeder and press Scan.
    """

    code = "double_feed"
    http_status = 409


class CoverOpen(DeviceError):
    """The scanner's cover is open.

    Close the cover and press Scan.
    """

    code = "cover_open"
    http_status = 409


class DriverFailed(DeviceError):
    """The scanner's driver failed.

    Press Scan again; if it happens again, switch the scanner off and on.
    """


def _leaves(cls: type[ScanbusError]) -> list[type[ScanbusError]]:
    children = cls.__subclasses__()
    return [leaf for child in children for leaf in _leaves(child)] if children else [cls]


CODES: dict[str, type[ScanbusError]] = {leaf.code: leaf for leaf in _leaves(ScanbusError)}
"""Every code and its class: one table for Python, JavaScript and HTTP."""


def from_failure(failure: Failure) -> ScanbusError:
    """The exception that a failed reply stands for; an unknown code reads as `Internal`."""
    return CODES.get(failure.code, Internal)(failure.text, **failure.data)
