"""`scanbus device record` on a service that runs, and the scanner that comes of it."""

import json
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from scanbus.client import Client
from tests.system.conftest import WAIT_S, Service, until

pytest.importorskip("_sane", reason="SANE is not on this system")

FEEDER = ["--source", "feeder", "--color", "gray", "--resolution-dpi", "100", "--pages", "3"]


def pages(client: Client, device_id: str) -> list[dict[str, Any]]:
    found = []
    for page in client.scan(device_id, source="feeder", color="gray", resolution_dpi=100):
        image = dict(page["image"])
        found.append({**image, "blob": image["blob"]["size"]})
    return found


def test_a_recording_becomes_a_scanner_that_does_the_same(make_service: Callable[..., Service]) -> None:
    service = make_service()
    service.start()
    ended = service.run("device", "record", "sane:test:0", "story.jsonl", *FEEDER)
    assert (ended.returncode, ended.stderr) == (0, "story.jsonl: 3 pages\n")
    story = service.folder / "story.jsonl"
    assert story.stat().st_size < 100_000
    again = make_service(SCANBUS_DEVICE__VIRTUAL=json.dumps([{"name": "copy", "recording": str(story)}]))
    again.start()
    with service.client() as real, again.client() as copy:
        devices = {device["device_id"]: device for device in copy.devices(wait=True)}
        assert devices["virtual:copy"]["model"] == "frontend-tester"
        assert copy.describe("virtual:copy") == real.describe("sane:test:0")
        assert pages(copy, "virtual:copy") == pages(real, "sane:test:0")[:3]


def test_a_failure_is_a_recording_and_says_how_the_scan_ended(shared: Service) -> None:
    option = "read-return-value=SANE_STATUS_COVER_OPEN"
    ended = shared.run(
        "device", "record", "sane:test:1", "open.jsonl", "--option", option, "--option", "select-fd=true"
    )
    assert ended.returncode == 0, ended.stderr
    assert "open.jsonl: 0 pages, then: " in ended.stderr
    assert "cover is open" in ended.stderr
    assert (shared.folder / "open.jsonl").read_text().endswith('{"call":"end"}\n')


def test_an_interrupted_recording_is_whole_as_far_as_it_goes(shared: Service) -> None:
    slow = {"read-limit": "true", "read-limit-size": "4096", "read-delay": "true", "read-delay-duration": "100000"}
    options = [word for name, value in slow.items() for word in ("--option", f"{name}={value}")]
    story = shared.folder / "interrupted.jsonl"
    with subprocess.Popen(
        shared.command("device", "record", "sane:test:0", str(story), *FEEDER, *options),
        env=shared.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as recording:
        until(lambda: story.exists() and '"parameters"' in story.read_text(), "scanning")
        recording.send_signal(signal.SIGINT)
        assert recording.wait(WAIT_S) == 130
    assert story.read_text().endswith('{"call":"close"}\n{"call":"end"}\n')


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sane:test:9", "x.jsonl"], 2, "no scanner test:9"),
        (["virtual:fast", "x.jsonl"], 2, "cannot be recorded"),
        (["sane:test:0", "log"], 2, "exists already"),
        (["sane:test:0", "missing/x.jsonl"], 2, "cannot be written"),
        (["sane:test:0", "x.jsonl", "--resolution-dpi", "1"], 2, "resolution_dpi"),
        (["sane:test:0", "x.jsonl", "--set", "runtime_folder=elsewhere"], 3, "does not run at"),
    ],
)
def test_what_cannot_be_recorded_is_said_in_a_sentence_and_leaves_no_file(
    shared: Service, words: list[str], code: int, said: str
) -> None:
    ended = shared.run("device", "record", *words)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (shared.folder / "x.jsonl").exists()
