"""Memory of the whole tree, when idle and over five hundred pages."""

import threading
from pathlib import Path
from time import perf_counter

from scanbus.client import Client
from tests.bench.measure import Report, median, pss_mb
from tests.system.conftest import Service, until

PAGES = 500
IDLE_LIMIT_MB = 150.0
ABOVE_LIMIT_MB = 200.0
FLAT_MB = 30.0
"""How much more the last hundred pages may take than the second hundred."""


class Watch(threading.Thread):
    """Notes the tree's memory all the time; `pages` is told by whoever scans."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        self._over = threading.Event()
        self.pages = 0
        self.samples: list[tuple[int, float]] = []
        self.highest: dict[str, float] = {}
        """What each process took when all together took most, in MB."""

    def run(self) -> None:
        while not self._over.wait(0.1):
            taken = {f"{_name(pid)} {pid}": pss_mb([pid]) for pid in self._service.of_this_service()}
            self.samples.append((self.pages, sum(taken.values())))
            if sum(taken.values()) > sum(self.highest.values()):
                self.highest = taken

    def end(self) -> float:
        """Stop; gives the highest in MB."""
        self._over.set()
        self.join()
        return sum(self.highest.values())

    def median_mb(self, first: int, last: int) -> float:
        return median([mb for pages, mb in self.samples if first <= pages <= last])


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"


def idle(service: Service, report: Report) -> None:
    with Client(service.url) as client:
        client.devices(wait=True)
    until(lambda: list(service.processes()) == ["main"], "only main is left")
    processes = service.of_this_service()
    report.figure(f"memory when idle (PSS of {len(processes)} processes)", pss_mb(processes), "MB", IDLE_LIMIT_MB)


def five_hundred_pages(service: Service, limit_mb: float, report: Report, folder: Path) -> None:
    """`service` has the virtual scanner `thick`, whose stack has `PAGES` pages."""
    watch = Watch(service)
    watch.start()
    with Client(service.url) as client:
        began = perf_counter()
        for watch.pages, _ in enumerate(client.scan("virtual:thick", resolution_dpi=200), 1):
            pass
        scan_s = perf_counter() - began
        watch.pages = PAGES + 1
        began = perf_counter()
        assert client.pdf(folder / "thick.pdf") == PAGES
        pdf_s = perf_counter() - began
        peak_mb = watch.end()
    report.figure(
        f"memory over {PAGES} pages and their PDF, highest (PSS)",
        peak_mb,
        "MB",
        limit_mb + ABOVE_LIMIT_MB,
        f"scan {scan_s:.1f} s, PDF {pdf_s:.1f} s",
    )
    growth_mb = watch.median_mb(PAGES - 100, PAGES) - watch.median_mb(100, 200)
    report.figure("  growth from pages 100-200 to 400-500", growth_mb, "MB", FLAT_MB)
