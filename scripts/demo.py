"""Scans from two scanners that need no hardware, through the service's own interface, into one PDF."""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from scanbus.client import DEFAULT_URL, NOT_RUNNING, Client, ScannerError

SAMPLE, TEST_DEVICE = "virtual:sample", "sane:test:0"
SANE_TEST_CONFIG = Path("/etc/sane.d/test.conf")
TEST_PAGES = 10


def main() -> int:
    """Leave the PDF and say where, how many pages and how long; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=Path("demo.pdf"))
    target = parser.parse_args().file
    try:
        with _service() as url, Client(url) as client:
            found = {device["device_id"] for device in client.devices(wait=True)}
            began_s = monotonic()
            _scan(client, SAMPLE, source="feeder")
            if TEST_DEVICE in found:
                _scan(client, TEST_DEVICE, source="feeder", color="color", resolution_dpi=150, pages=TEST_PAGES)
            else:
                print("SANE's test device is not there; install sane-utils and libsane1 to see it.")
            pages = client.pdf(target, overwrite=True)
    except (ScannerError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"{target.resolve()}: {pages} pages in {monotonic() - began_s:.1f} s")
    return 0


def _scan(client: Client, device_id: str, **settings: Any) -> None:
    began_s = monotonic()
    for number, page in enumerate(client.scan(device_id, **settings), 1):
        image = page["image"]
        size = f"{image['width_px']} x {image['height_px']} px at {image['resolution_dpi']} dpi"
        print(f"  {device_id} page {number}: {size}, {image['color']}, {monotonic() - began_s:.1f} s", flush=True)


@contextmanager
def _service() -> Iterator[str]:
    """The address of the service that runs, if it has both scanners, or else of one for this demo alone."""
    if _runs_already():
        yield DEFAULT_URL
        return
    with tempfile.TemporaryDirectory(prefix="scanbus-demo-") as name:
        folder = Path(name)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {
            **os.environ,
            "SCANBUS_STATE_FOLDER": str(folder / "state"),
            "SCANBUS_RUNTIME_FOLDER": str(folder / "run"),
            "SCANBUS_GATEWAY__PORTS": f"[{port}]",
        }
        if SANE_TEST_CONFIG.exists():
            (folder / "dll.conf").write_text("test\n")
            shutil.copy(SANE_TEST_CONFIG, folder)
            environment["SANE_CONFIG_DIR"] = str(folder)
        command = [sys.executable, "-m", "scanbus.cli", "run", "--set", "log.level=warning"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as service:  # noqa: S603
            try:
                # Its first line says that it is ready; none comes if it cannot run, and then it has said why.
                if service.stdout is None or not service.stdout.readline():
                    raise ScannerError(NOT_RUNNING, "The service did not start.")
                yield f"http://127.0.0.1:{port}"
            finally:
                service.terminate()


def _runs_already() -> bool:
    try:
        with Client(DEFAULT_URL) as client:
            return {SAMPLE, TEST_DEVICE} <= {device["device_id"] for device in client.devices(wait=True)}
    except ScannerError as error:
        if error.code != NOT_RUNNING:
            raise
        return False


if __name__ == "__main__":
    sys.exit(main())
