"""Runs every benchmark; the exit status is how many figures are over their limits."""

import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from schemas.config import CacheConfig
from tests.bench.editing import editing
from tests.bench.measure import Report, median, spread
from tests.bench.memory import PAGES, five_hundred_pages, idle
from tests.bench.reading import reading
from tests.bench.ring import ring
from tests.bench.round_trip import round_trip
from tests.bench.scanning import scanning
from tests.system.conftest import Service

STARTS = 5
MEMORY_LIMIT_MB = CacheConfig().memory_limit_mb
SAMPLE = Path(__file__).parents[2] / "actors" / "device" / "sample"


def thick_stack(folder: Path) -> Path:
    """A folder of `PAGES` pages: the sample stack again and again."""
    folder.mkdir()
    sides = sorted(SAMPLE.iterdir())
    for number in range(PAGES):
        side = sides[number % len(sides)]
        (folder / f"{number:04}{side.suffix}").symlink_to(side)
    return folder


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    folder.mkdir()
    scanners = [{"name": "thick", "folder": str(thick_stack(folder / "paper")), "pages_per_minute": 0}]
    service = Service(
        folder,
        SCANBUS_DEVICE__VIRTUAL=json.dumps(scanners),
        SCANBUS_DEVICE__IDLE_S="2",
    )
    service.start()
    try:
        yield service
    finally:
        assert service.process is not None
        service.process.terminate()
        service.process.wait(20)


def main() -> int:
    report = Report()
    print(f"Python {platform.python_version()} on {platform.machine()}, {platform.system()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bus").mkdir(mode=0o700)
        round_trip(folder / "bus", report)
        ring(folder / "bus", report)
        starts_s = []
        for number in range(STARTS):
            began = perf_counter()
            with running(folder / f"start-{number}"):
                starts_s.append(perf_counter() - began)
        report.figure("from `scanbus run` to ready, slowest", max(starts_s), "s", 2.0, spread(starts_s))
        print(f"  median {median(starts_s):.3f} s")
        with running(folder / "service") as service:
            idle(service, report)
            reading(service, report)
            scanning(service, report)
            editing(service, report, folder)
            five_hundred_pages(service, MEMORY_LIMIT_MB, report, folder)
    return report.failed


if __name__ == "__main__":
    sys.exit(main())
