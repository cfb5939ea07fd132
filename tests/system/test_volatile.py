"""Session keys in memory alone: they survive every crash, and nothing else."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from bus.keys import CHECK_BYTES, KEY_BYTES
from tests.disks import small_disk
from tests.system.conftest import Service, until


def keys(memory: Path) -> list[Path]:
    return [path for path in memory.rglob("*") if path.is_file() and path.stat().st_size == KEY_BYTES + CHECK_BYTES]


def test_volatile_pages_survive_a_crash_of_all_and_not_the_end_of_the_service(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "memory", size_kb=1024) as memory:
        service = make_service(SCANBUS_CACHE__VOLATILE="true", SCANBUS_RUNTIME_FOLDER=str(memory))
        service.start()
        client = service.client()
        list(client.scan("virtual:fast", source="feeder", pages=2))
        pages, session = client.pages(), client.session_id
        assert [path.name for path in keys(memory)] == [session]
        for pid in (service.monitor, *service.processes().values()):
            os.kill(pid, signal.SIGKILL)
        assert service.process is not None
        service.process.wait()
        until(lambda: not service.of_this_service(), "all have ended")
        service.start()
        assert client.pages() == pages
        client.pdf(service.folder / "two.pdf")
        kept = [path for path in (service.folder / "state" / "pages" / session).iterdir() if path.name[0] != "."]
        assert kept
        assert service.stop() == 0
        assert [path for path in memory.rglob("*") if path.is_file()] == []
        service.start()
        until(lambda: not any(path.exists() for path in kept), "what no key opens is deleted")
        with service.client() as later:
            assert later.pages() == []
