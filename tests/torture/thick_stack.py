"""A thick stack at 600 dpi in a service that may take little memory: scanned, looked at and saved, all at once."""

import http.client
import json
import queue
import shutil
import threading
from pathlib import Path
from time import monotonic

from PIL import Image, ImageDraw

from scanbus.client import Client, ScannerError
from tests.bench.memory import ABOVE_LIMIT_MB, Watch
from tests.system.conftest import Service

PAGES = 500
LIMIT_MB = 400
PAGE_MB = 15
"""What a page takes on disk, and a little more."""
SAMPLE = Path(__file__).parents[2] / "actors" / "device" / "sample"
THUMBNAIL_PX, VIEW_PX = 240, 1600


def try_pages(folder: Path, pages: int) -> str:
    """Print what was measured; gives what is wrong, or ""."""
    if shutil.disk_usage(folder).free < pages * PAGE_MB << 20:
        return f"{pages} pages need {pages * PAGE_MB} MB below {folder}"
    scanners = [{"name": "thick", "folder": str(_paper(folder / "paper", pages)), "pages_per_minute": 0}]
    service = Service(
        folder,
        SCANBUS_DEVICE__VIRTUAL=json.dumps(scanners),
        SCANBUS_DEVICE__DRIVERS='["virtual"]',
        SCANBUS_CACHE__MEMORY_LIMIT_MB=str(LIMIT_MB),
    )
    service.start()
    watch = Watch(service)
    watch.start()
    try:
        said = _work(service, watch, folder / "thick.pdf", pages)
    except ScannerError as error:
        return f"after {watch.pages} pages: {error} {service.log.read_text()}"
    finally:
        highest_mb = watch.end()
        service.stop()
    each = ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(watch.highest.items()))
    print(f"{said}; highest memory {highest_mb:.0f} MB (PSS, {len(watch.samples)} times): {each}", flush=True)
    if highest_mb > LIMIT_MB + ABOVE_LIMIT_MB:
        return f"{highest_mb:.0f} MB are more than the {LIMIT_MB} MB of the settings and {ABOVE_LIMIT_MB:g} MB"
    return ""


def _paper(folder: Path, pages: int) -> Path:
    """The A4 pages of the sample stack again and again, each with a number: no two are kept as one."""
    folder.mkdir()
    sides = sorted(SAMPLE.glob("0[1-8]*"))
    for number in range(pages):
        with Image.open(sides[number % len(sides)]) as side:
            page = side.convert("RGB")
        ImageDraw.Draw(page).text((800, 1200), str(number), fill="red", font_size=200)
        page.save(folder / f"{number:04}.jpg", dpi=(200, 200))
    return folder


def _work(service: Service, watch: Watch, pdf: Path, pages: int) -> str:
    """Scan, with a thumbnail of every page; then make a PDF while somebody looks at large pictures."""
    with Client(service.url) as client:
        looks = _Looks(client)
        began = monotonic()
        for page in client.scan("virtual:thick", resolution_dpi=600, color="color", page_size="a4"):
            looks.at(page["page_id"], THUMBNAIL_PX)
            watch.pages += 1
        assert watch.pages == pages
        scan_s = monotonic() - began
        assert looks.end() == pages
        began = monotonic()
        looks = _Looks(client)
        # The very largest, of every fiftieth page, is what the PDF needs of every one.
        kept = client.pages()
        assert len({page["image"]["blob"]["name"] for page in kept}) == pages
        seen = kept[: max(2, pages // 2)]
        for number, page in enumerate(seen):
            looks.at(page["page_id"], 0 if number % 50 == 1 else VIEW_PX)
        assert client.pdf(pdf) == pages
        pdf_s = monotonic() - began
        assert looks.end() == len(seen)
        disk_mb = sum(path.stat().st_size for path in service.folder.rglob("*") if path.is_file()) >> 20
        return f"{pages} pages: scan {scan_s:.0f} s, PDF {pdf_s:.0f} s, {disk_mb} MB on disk"


class _Looks:
    """Asks for pictures, one after another, beside everything else."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: queue.Queue[tuple[str, int] | None] = queue.Queue()
        self._seen = 0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def at(self, page_id: str, width_px: int) -> None:
        self._asked.put((page_id, width_px))

    def end(self) -> int:
        """Look at what is left; gives how many pictures were seen."""
        self._asked.put(None)
        self._thread.join()
        return self._seen

    def _look(self) -> None:
        while (asked := self._asked.get()) is not None:
            page_id, width_px = asked
            connection = http.client.HTTPConnection(self._client.url.removeprefix("http://"))
            path = f"/v1/sessions/{self._client.session_id}/pages/{page_id}/image?width_px={width_px}"
            connection.request("GET", path)
            with connection.getresponse() as response:
                picture = response.read()
            connection.close()
            self._seen += response.status == 200 and picture.startswith(b"\xff\xd8")
