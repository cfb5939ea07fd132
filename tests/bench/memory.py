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

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.samples.append((self.pages, pss_mb(self._service.of_this_service())))

    def end(self) -> None:
        self._over.set()
        self.join()

    def median_mb(self, first: int, last: int) -> float:
        return median([mb for pages, mb in self.samples if first <= pages <= last])


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
        watch.end()
    peak_mb = max(mb for _, mb in watch.samples)
    report.figure(
        f"memory over {PAGES} pages and their PDF, highest (PSS)",
        peak_mb,
        "MB",
        limit_mb + ABOVE_LIMIT_MB,
        f"scan {scan_s:.1f} s, PDF {pdf_s:.1f} s",
    )
    growth_mb = watch.median_mb(PAGES - 100, PAGES) - watch.median_mb(100, 200)
    report.figure("  growth from pages 100-200 to 400-500", growth_mb, "MB", FLAT_MB)
