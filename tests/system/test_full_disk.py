"""A disk that fills up while somebody scans: the scan waits, and goes on when there is room again."""

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from scanbus.client import Client, Page
from tests.disks import small_disk
from tests.system.conftest import WAIT_S, Service, until

DISK_KB = 64 << 10
BALLAST_BYTES = 44 << 20
WIDTH_PX, HEIGHT_PX = 1240, 1748
"""A6 at 300 dpi: 2 MB a page."""
PAGES = 12


class Scanning(threading.Thread):
    """A scan of the whole stack."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True)
        self._client = client
        self.pages: list[Page] = []
        self.over = False

    def run(self) -> None:
        for page in self._client.scan("virtual:noise", source="feeder", color="gray", resolution_dpi=300):
            self.pages.append(page)
        self.over = True


def noise(folder: Path) -> Path:
    """A stack of pages that nothing makes smaller."""
    folder.mkdir()
    chance = random.Random(1)
    for number in range(PAGES):
        picture = Image.frombytes("L", (WIDTH_PX, HEIGHT_PX), chance.randbytes(WIDTH_PX * HEIGHT_PX))
        picture.save(folder / f"{number:02}.png", dpi=(300, 300), compress_level=0)
    return folder


def job(client: Client) -> dict[str, Any]:
    (found,) = client.call("device.list_jobs")["jobs"]
    return found


def test_a_full_disk_pauses_the_scan_which_goes_on_by_itself_when_there_is_room(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    paper = noise(tmp_path / "paper")
    scanner = {"name": "noise", "folder": str(paper), "pages_per_minute": 0}
    service = make_service(SCANBUS_DEVICE__VIRTUAL=json.dumps([scanner]))
    with small_disk(service.folder / "state", DISK_KB) as state:
        ballast = state / "ballast"
        ballast.write_bytes(bytes(BALLAST_BYTES))
        service.start()
        main = service.processes()["main"]
        client = service.client()
        client.call("buffer.list_pages")
        scanning = Scanning(client)
        scanning.start()
        until(lambda: client.call("device.list_jobs")["jobs"] and job(client).get("paused"), "the scan waits")
        assert job(client)["paused"]["code"] == "storage_full"
        assert job(client)["state"] == "running"
        before = client.pages()
        assert 3 <= len(before) < PAGES
        assert not scanning.over
        ballast.unlink()
        scanning.join(WAIT_S)
        assert scanning.over, "it goes on without a restart"
        assert client.pages()[: len(before)] == before
        assert [page["page_id"] for page in client.pages()] == [page["page_id"] for page in scanning.pages]
        assert len(scanning.pages) == PAGES
        assert "paused" not in job(client)
        assert client.pdf(tmp_path / "all.pdf") == PAGES, "every page can be read"
        assert service.processes()["main"] == main
        assert service.stop() == 0
