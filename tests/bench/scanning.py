"""Ten color pages from SANE's test feeder, against `scanimage`, and how soon the first can be seen."""

import http.client
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

from scanbus.client import Client
from tests.bench.measure import Report, median, seconds, spread
from tests.system.conftest import Service

RUNS = 5
PAGES = 10
SETTINGS = {"source": "feeder", "color": "color", "resolution_dpi": 300, "options": {"test-picture": "Color pattern"}}
SCANIMAGE = [
    *("scanimage", "-d", "test:0", "--source", "Automatic Document Feeder", "--mode", "Color", "--resolution", "300"),
    *("-x", "200", "-y", "200", "--test-picture", "Color pattern", "--format=jpeg", "--batch=page-%d.jpg"),
]


def scanning(service: Service, report: Report) -> None:
    """`service` runs; its device processes may have to be started, as for the first person in the morning."""
    ours_s, theirs_s, visible_s = [], [], []
    for _ in range(RUNS):
        with Client(service.url) as client:
            client.devices(wait=True)
            duration_s, first_s = _scan(client)
            ours_s.append(duration_s)
            visible_s.append(first_s)
        with tempfile.TemporaryDirectory() as folder:
            theirs_s.append(seconds(lambda folder=folder: _scanimage(service, folder)))
    ratios = [ours / theirs for ours, theirs in zip(ours_s, theirs_s, strict=True)]
    note = f"first (cold) {ratios[0]:.2f}; ours {median(ours_s):.3f} s, scanimage {median(theirs_s):.3f} s"
    report.figure("10 color pages at 300 dpi, durable / scanimage, median", median(ratios), "x", 3.0, spread(ratios))
    report.figure("  the same, slowest", max(ratios), "x", 3.0, note)
    report.figure("first page visible after it was scanned, slowest", max(visible_s), "s", 0.5, spread(visible_s))


def _scan(client: Client) -> tuple[float, float]:
    """Seconds from the request to the tenth page durable, and from the first page to its picture.

    The picture is asked for while the scan goes on, in another connection, as a browser does.
    """
    began = perf_counter()
    pages = []
    visible_s = -1.0
    for page in client.scan("sane:test:0", **SETTINGS):
        pages.append(page)
        if len(pages) == 1:
            arrived = perf_counter()
            picture = _ask_picture(client, page["page_id"])
        if len(pages) == PAGES:
            duration_s = perf_counter() - began
    with picture.getresponse() as response:
        data = response.read()
        assert response.status == 200 and data.startswith(b"\xff\xd8"), (response.status, data[:200])
        visible_s = perf_counter() - arrived
    picture.close()
    assert len(pages) == PAGES
    return duration_s, visible_s


def _ask_picture(client: Client, page_id: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"))
    connection.request("GET", f"/v1/sessions/{client.session_id}/pages/{page_id}/image?width_px=240")
    return connection


def _scanimage(service: Service, folder: str) -> None:
    subprocess.run(SCANIMAGE, env=service.environment, cwd=folder, check=False, capture_output=True)
    assert len(list(Path(folder).iterdir())) == PAGES
