"""A stack of paper becomes one document without a gap or a repeat, whatever jams, and whoever dies in the middle."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import PIL.Image
import pytest

from scanbus.client import Client, ScannerError
from tests.paper import number_on, small_stack
from tests.system.conftest import Service, until

SHEETS = 60
JAMMED = 37
DEVICE = "virtual:tray"
SETTINGS = {"source": "feeder", "color": "gray", "resolution_dpi": 75}


@pytest.fixture
def tray(tmp_path: Path) -> Path:
    return small_stack(tmp_path / "tray", SHEETS)


def put_back(tray: Path, first: int) -> None:
    """Let this sheet be the next one."""
    (tray / ".fed").write_text(str(first - 1))


def started(make_service: Callable[..., Service], tray: Path, fault: str = "", pages_per_minute: int = 0) -> Service:
    scanner = {"name": "tray", "folder": str(tray), "tray": True, "pages_per_minute": pages_per_minute, "fault": fault}
    service = make_service(SCANBUS_DEVICE__VIRTUAL=json.dumps([scanner]))
    service.start()
    return service


def scan(client: Client) -> Iterator[dict[str, Any]]:
    return client.stream("device.scan", timeout_s=60, device_id=DEVICE, settings=SETTINGS, pause_s=600)


def waits(client: Client) -> dict[str, Any]:
    """The last scan, once it waits for paper."""
    jobs: list[dict[str, Any]] = []

    def paused() -> bool:
        try:
            jobs[:] = client.call("device.list_jobs")["jobs"]
        except ScannerError as error:
            # Main is being started again.
            assert error.code in ("lost", "unavailable", "not_running"), error.code
        return bool(jobs) and "paused" in jobs[-1]

    until(paused, "the scan waits")
    return jobs[-1]


def resumed(client: Client, job: dict[str, Any], put_back: int = -1) -> list[dict[str, Any]]:
    """Go on, and give what is told until the end."""
    client.call("device.resume", job_id=job["job_id"], put_back=put_back)
    return list(client.stream("device.follow", timeout_s=60, job_id=job["job_id"]))


def numbers(client: Client) -> list[int]:
    """The sheets that the session has, in order."""
    found = []
    for page in client.pages():
        with urlopen(f"{client.url}/v1/sessions/{client.session_id}/pages/{page['page_id']}/image") as response:
            found.append(number_on(PIL.Image.open(BytesIO(response.read()))))
    return found


@pytest.mark.parametrize("told", [-1, 0, 1, 2])
def test_after_a_jam_a_stack_is_scanned_to_its_end(make_service: Callable[..., Service], tray: Path, told: int) -> None:
    service = started(make_service, tray, f"jam@{JAMMED}")
    with service.client() as client:
        for part in scan(client):
            if part["type"] == "device.paused":
                break
        job = waits(client)
        assert (job["pages"], job["gap"], job["paused"]["code"]) == (JAMMED - 1, JAMMED, "paper_jam")
        put_back(tray, JAMMED - max(told, 0) - (2 if told < 0 else 0))
        told_parts = resumed(client, job, told)
        repeated = [part["number"] for part in told_parts if part["type"] == "device.repeated"]
        end = told_parts[-1]["job"]
        assert (end["state"], end["pages"], end.get("gap", 0)) == ("completed", SHEETS, 0)
        assert len(repeated) <= 2
        assert numbers(client) == list(range(1, SHEETS + 1))


@pytest.mark.parametrize("victims", [["main"], [f"driver/{DEVICE}"], ["main", f"driver/{DEVICE}"]], ids=str)
def test_whoever_is_killed_in_the_middle_the_scan_waits_and_goes_on(
    make_service: Callable[..., Service], tray: Path, victims: list[str]
) -> None:
    service = started(make_service, tray, pages_per_minute=600)
    with service.client() as client:
        try:
            for part in scan(client):
                if part["type"] == "device.scanned_page" and part["number"] == 20:
                    for victim in victims:
                        service.kill(victim)
                if part["type"] == "device.paused":
                    break
        except ScannerError as error:
            assert error.code == "lost"
        job = waits(client)
        assert job["pages"] >= 20
        assert job["gap"] == job["pages"] + 1
        assert numbers(client) == list(range(1, job["pages"] + 1))
        put_back(tray, job["gap"])
        end = resumed(client, job)[-1]["job"]
        assert (end["state"], end["pages"]) == ("completed", SHEETS)
        assert numbers(client) == list(range(1, SHEETS + 1))
