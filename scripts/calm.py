"""SANE's test device without its one bug: it hangs where its thread is ended in the middle of its work."""

import threading
import time
from pathlib import Path

from actors.device.sane_handle import Handle

WAIT_S = 10.0
_ASLEEP = "SZX"
"""The states of threads that wait, or are no more."""


class CalmHandle(Handle):
    """Lets the device's thread fall asleep before each call that may end it.

    libsane cancels it wherever it is, also when all was read. One that holds a lock of the C library just then holds
    it for ever; one that waits holds none.
    """

    def read(self, into: memoryview) -> int | None:
        """Read at most `len(into)` bytes."""
        _let_threads_sleep()
        return super().read(into)

    def cancel(self) -> None:
        """End whatever was started."""
        _let_threads_sleep()
        super().cancel()

    def close(self) -> None:
        """Give the device back."""
        _let_threads_sleep()
        super().close()


def _let_threads_sleep() -> None:
    """Wait for all threads of this process that Python does not know. Raises TimeoutError after `WAIT_S`."""
    until = time.monotonic() + WAIT_S
    while _awake():
        if time.monotonic() > until:
            raise TimeoutError("A thread of libsane never sleeps.")
        time.sleep(0)


def _awake() -> bool:
    known = {thread.native_id for thread in threading.enumerate()}
    return any(_state(task) not in _ASLEEP for task in Path("/proc/self/task").iterdir() if int(task.name) not in known)


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
