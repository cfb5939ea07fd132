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
STOP_S = 30.0
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a running service; it must end by itself when it is asked to."""
    folder = tmp_path_factory.mktemp("service")
    sane = folder / "sane"
    sane.mkdir()
    (sane / "dll.conf").write_text("test\n")
    shutil.copy("/etc/sane.d/test.conf", sane)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "SANE_CONFIG_DIR": str(sane),
        "SCANBUS_STATE_FOLDER": str(folder / "state"),
        "SCANBUS_RUNTIME_FOLDER": str(folder / "run"),
        "SCANBUS_GATEWAY__PORTS": f"[{port}]",
        "SCANBUS_DEVICE__VIRTUAL": json.dumps(SCANNERS),
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


class ScanPage:
    """The scan page as a person uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.scan: Locator = page.get_by_role("button", name="Scan", exact=True)
        self.cancel: Locator = page.locator("#cancel")
        self.pages: Locator = page.get_by_role("option", name="Page ")
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
