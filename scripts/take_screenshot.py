"""Scans the sample stack on the real scan page and keeps a picture of it for the README."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import expect, sync_playwright

TARGET = Path(__file__).parents[1] / "docs" / "scan-page.png"
CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    """Start a service of its own, scan, take the picture, stop."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        settings = {
            "SCANBUS_STATE_FOLDER": f"{folder}/state",
            "SCANBUS_RUNTIME_FOLDER": f"{folder}/run",
            "SCANBUS_GATEWAY__PORTS": f"[{port}]",
            "SCANBUS_DEVICE__DRIVERS": '["virtual"]',
            "SCANBUS_DEVICE__VIRTUAL": '[{"name": "sample", "pages_per_minute": 0}]',
        }
        command = [sys.executable, "-m", "scanbus.cli", "run"]
        with (Path(folder) / "log").open("w") as log:
            service = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)  # noqa: S603
            try:
                take(f"http://127.0.0.1:{port}/scan")
            finally:
                service.terminate()
                service.wait()


def take(address: str) -> None:
    """Scan everything that is in the feeder and keep what is seen then."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1360, "height": 900})
        while not answers(address):
            page.wait_for_timeout(100)
        page.goto(address)
        page.get_by_role("button", name="Scan", exact=True).click()
        expect(page.get_by_role("option", name="Page ")).to_have_count(10, timeout=60_000)
        page.get_by_role("option", name="Page 2").click()
        expect(page.locator("#thumbnails .loaded")).to_have_count(10)
        expect(page.locator("#picture:not(.loading)")).to_be_visible()
        page.mouse.move(0, 0)
        TARGET.parent.mkdir(exist_ok=True)
        page.screenshot(path=TARGET)
        browser.close()


def answers(address: str) -> bool:
    """Whether the service is up."""
    try:
        return bool(urlopen(address).status == 200)  # noqa: S310
    except OSError:
        return False


if __name__ == "__main__":
    main()
