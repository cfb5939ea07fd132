"""A limit to one process's memory, and a reserve to leave in order: without it, one leak would stop the computer."""

import ctypes
import sys

RESERVE_MB = 32
"""What is left at the limit, for the last answers and for saying why."""


LARGE_BYTES = 4 << 20
"""Less is kept for what comes next: asking the system each time would take longer than the work."""
M_MMAP_THRESHOLD = -3
"""mallopt(3)."""


def return_large() -> None:
    """From now on, a large piece of memory goes back to the system as soon as it is free, not when it suits (glibc)."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def limit(limit_mb: int) -> None:
    """From now on MemoryError is raised where this process would take more (Linux: of what it can write to)."""
    if sys.platform == "linux":
        import resource

        # Not RLIMIT_AS: files and libraries that are mapped take no memory of their own.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = (limit_mb + RESERVE_MB) << 20
        hard = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_DATA, (hard - (RESERVE_MB << 20), hard))


def open_reserve() -> None:
    """Give this process its reserve, because it is about to end."""
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
