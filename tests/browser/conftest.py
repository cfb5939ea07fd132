"""A browser and the real service, started as a person would start it, with scanners that need no hardware."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCANNERS = [
    {"name": "fast", "pages_per_minute": 0},
    {"name": "slow", "pages_per_minute": 60},
    {"name": "empty", "fault": "empty"},
    {"name": "jamming", "fault": "jam@3", "pages_per_minute": 0},
]
TRAYS: dict[str, dict[str, object]] = {
    "jam once": {"fault": "jam@3", "pages_per_minute": 0},
    "double": {"fault": "double_feed@4", "pages_per_minute": 0},
    "dying": {"fault": "crash@3", "pages_per_minute": 0},
    "steady": {"pages_per_minute": 120},
}
"""Scanners whose paper is gone once it was fed, by name; what happens to them happens once."""
SAMPLE = Path("actors/device/sample")
STOP_S = 30.0
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps everything."""
    return tmp_path_factory.mktemp("service")


class Tray:
    """The tray of a scanner that takes its paper from a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._fed = folder / name / ".fed"

    def fill(self) -> None:
        """Put in all sheets."""
        self._fed.unlink(missing_ok=True)

    def fed(self) -> int:
        """How many sheets went through."""
        return int(self._fed.read_text())

    def put_back(self, sheets: int) -> None:
        """Put the sheets that went through last on top again."""
        self._fed.write_text(str(self.fed() - sheets))


@pytest.fixture
def tray(folder: Path) -> Callable[[str], Tray]:
    """The tray of a scanner of `TRAYS`, full."""

    def filled(name: str) -> Tray:
        tray = Tray(folder, name)
        tray.fill()
        return tray

    return filled


@pytest.fixture(scope="session")
def service(folder: Path) -> Iterator[str]:
    """The origin of a running service; it must end by itself when it is asked to."""
    sane = folder / "sane"
    sane.mkdir()
    (sane / "dll.conf").write_text("test\n")
    shutil.copy("/etc/sane.d/test.conf", sane)
    scanners = list(SCANNERS)
    for name, kind in TRAYS.items():
        shutil.copytree(SAMPLE, folder / name)
        scanners.append({"name": name, "folder": str(folder / name), "tray": True, **kind})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "SANE_CONFIG_DIR": str(sane),
        "SCANBUS_STATE_FOLDER": str(folder / "state"),
        "SCANBUS_RUNTIME_FOLDER": str(folder / "run"),
        "SCANBUS_GATEWAY__PORTS": f"[{port}]",
        "SCANBUS_DEVICE__VIRTUAL": json.dumps(scanners),
    }
    command = [sys.executable, "-m", "scanbus.cli", "run"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "ready" in line:
                break
        assert said and "ready" in said[-1], "".join(said)
        rest = threading.Thread(target=said.extend, args=(process.stdout,))
        rest.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            code = process.wait(STOP_S)
            rest.join(STOP_S)
    assert code == 0, "".join(said)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, ended with each module: until then Playwright's own event loop occupies the thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own; whatever it complains of, violations of the content policy too, fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1360, "height": 820})
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def main_process(service: str, folder: Path) -> Callable[[], int]:
    """Which process the service's main one is now."""

    def found() -> int:
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            words = command.read_bytes().split(b"\0")
            if b"scanbus.process" in words and b"main" in words:
                environment = (command.parent / "environ").read_bytes()
                if str(folder / "state").encode() in environment:
                    return int(command.parent.name)
        raise AssertionError("main does not run")

    return found


class ScanPage:
    """The scan page as a person uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.scan: Locator = page.get_by_role("button", name="Scan", exact=True)
        self.cancel: Locator = page.locator("#cancel")
        self.pages: Locator = page.locator("#thumbnails").get_by_role("option", name="Page ")
        self.facts: Locator = page.locator("#view-facts")

    def choose(self, scanner: str, source: str = "Feeder", resolution: str = "100 dpi") -> None:
        """Take the scanner with this in its name, and wait until its settings are there."""
        picker = self.page.get_by_role("combobox", name="Scanner", exact=True)
        option = picker.locator("option", has_text=scanner)
        option.wait_for(state="attached")
        picker.select_option(label=option.inner_text())
        self.page.get_by_role("radio", name=source).check()
        self.page.get_by_role("combobox", name="Resolution", exact=True).select_option(label=resolution)

    def scan_all(self, count: int) -> None:
        """Press Scan and wait for the end."""
        self.scan.click()
        expect(self.pages).to_have_count(count)
        expect(self.scan).to_be_visible()

    def scan_until_jam(self, count: int) -> None:
        """Press Scan, wait for the jam after so many pages, and leave it at that."""
        self.scan.click()
        self.page.get_by_role("button", name="Finish here").click()
        expect(self.pages).to_have_count(count)
        expect(self.scan).to_be_visible()

    def ask_client(self, script: str, *arguments: object) -> Any:
        """What a script returns that has this page's session as `scanner`, apart from the page."""
        begin = """const { connect } = await import("/web/scanbus.js");
          const scanner = await connect({ token: sessionStorage.getItem("scanbus token") });"""
        body = f"async (given) => {{ {begin} try {{ {script} }} finally {{ await scanner.close(); }} }}"
        return self.page.evaluate(body, arguments)

    def shown(self) -> list[str]:
        """The pictures' addresses without their query: which page is where."""
        return [str(each.get_attribute("src")).partition("?")[0] for each in self.pages.locator("img").all()]

    def save(self, press: Callable[[], None], to: Path) -> Path:
        """The file that a press on Save makes the browser download."""
        with self.page.expect_download() as download:
            press()
        path = to / download.value.suggested_filename
        download.value.save_as(path)
        return path


@pytest.fixture
def scan_page(page: Page, service: str) -> ScanPage:
    """The scan page, opened."""
    page.goto(f"{service}/scan")
    expect(page.get_by_text("Connected")).to_be_visible()
    return ScanPage(page)
