"""The real service, started as a person would start it, on free ports and folders of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scanbus.client import Client

# A test run in the background ignores interrupts, and so would everything that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

WAIT_S = 20.0
SCANNERS = [
    {"name": "fast", "pages_per_minute": 0},
    {"name": "slow", "pages_per_minute": 120},
    {"name": "empty", "fault": "empty"},
    {"name": "jamming", "fault": "jam@3", "pages_per_minute": 0},
]


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"still not so: {what}"
        time.sleep(0.01)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    caught = re.search(r"^SigCgt:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and int(caught[1], 16) >> (number - 1) & 1 == 1


class Service:
    """One `scanbus run` of a test's own; `settings` as the environment has them."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "SANE_CONFIG_DIR": str(folder / "sane"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TMPDIR": str(folder / "tmp"),
            "SCANBUS_STATE_FOLDER": str(folder / "state"),
            "SCANBUS_RUNTIME_FOLDER": str(folder / "run"),
            "SCANBUS_GATEWAY__PORTS": f"[{self.port}]",
            "SCANBUS_DEVICE__VIRTUAL": json.dumps(SCANNERS),
            **settings,
        }
        (folder / "sane").mkdir()
        (folder / "tmp").mkdir()
        (folder / "sane" / "dll.conf").write_text("test\n")
        shutil.copy("/etc/sane.d/test.conf", folder / "sane")
        self.log = folder / "log"
        self.said = self.log
        """Standard output; where it is the log, both are in one file."""
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "scanbus.cli", *words]

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command that talks to this service, until it ends."""
        return subprocess.run(
            self.command(*words),
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=2 * WAIT_S,
        )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.said.open("wb") as said, self.log.open("ab") as log:
            errors = subprocess.STDOUT if self.said == self.log else log
            self.process = subprocess.Popen(self.command("run"), env=self.environment, stdout=said, stderr=errors)
        until(lambda: self.ready() or self.process is None or self.process.poll() is not None, "ready, or ended")
        assert self.ready(), self.log.read_text()

    def ready(self) -> bool:
        return re.search("^Scanbus .* is ready", self.said.read_text(), re.MULTILINE) is not None

    @property
    def monitor(self) -> int:
        """Its process id: `scanbus run` becomes the monitor."""
        assert self.process is not None
        return self.process.pid

    def processes(self) -> dict[str, int]:
        """The names and process ids of the monitor's children, of which nothing may be left in the end."""
        found = {}
        children = Path(f"/proc/{self.monitor}/task/{self.monitor}/children").read_text().split()
        for pid in children:
            try:
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except FileNotFoundError:
                # It has just ended.
                continue
            if "scanbus.process" in words:
                name, *instance = words[words.index("scanbus.process") + 1 : -1]
                found["/".join([name, *instance[1:]])] = int(pid)
        return found

    def of_this_service(self) -> list[int]:
        """Every process that has this service's settings, wherever it hangs in the tree."""
        mark = f"SCANBUS_STATE_FOLDER={self.folder}/state".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                # It has just ended, or is not ours to look at.
                continue
        return found

    def kill(self, name: str) -> None:
        os.kill(self.processes()[name], signal.SIGKILL)

    def client(self) -> Client:
        return Client(self.url)

    def stop(self) -> int:
        """Ask it to end; gives its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(WAIT_S)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def services(folder: Path) -> Iterator[Callable[..., Service]]:
    """Makes services; whatever is left of them at the end is a failure."""
    made: list[Service] = []

    def make(**settings: str) -> Service:
        own = folder / f"service-{len(made)}"
        own.mkdir()
        made.append(Service(own, **settings))
        return made[-1]

    yield make
    for service in made:
        if service.process is not None and service.process.poll() is None:
            assert service.stop() == 0, service.log.read_text()
        left = service.of_this_service()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, service.log.read_text()


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes services for one test."""
    with services(tmp_path) as make:
        yield make


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    """A service that runs."""
    service = make_service()
    service.start()
    return service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that runs, for tests that leave it as it was."""
    with services(tmp_path_factory.mktemp("shared")) as make:
        service = make()
        service.start()
        yield service
