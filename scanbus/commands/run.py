"""`scanbus run` and `scanbus actor`: everything that must be true before the monitor, or an actor, begins."""

import asyncio
import fcntl
import os
import sys
import tempfile
from pathlib import Path

from scanbus.channel import Setup, line
from schemas.config import Config
from schemas.errors import Conflict


def run(config: Config) -> None:
    """Become the monitor, with the lock and the listening sockets in hand.

    Raises Conflict where another Scanbus keeps its state in the same folder, or somebody else has a port.
    """
    from bus.endpoints import state_folder
    from gateway.server import listen

    path = state_folder(config) / "scanbus.lock"
    lock = _locked(path)
    try:
        sockets = [opened.detach() for opened in listen(config.gateway.hosts, config.gateway.ports)]
    except BaseException:
        path.unlink()
        raise
    with tempfile.TemporaryFile() as setup:
        setup.write(line(Setup(config=config, sockets=sockets, lock=str(path))))
        setup.flush()
        setup.seek(0)
        for descriptor in (lock, setup.fileno(), *sockets):
            os.set_inheritable(descriptor, True)
        # A fresh program: the monitor stays for as long as the service, and shall not carry what this one imported.
        os.execv(sys.executable, [sys.executable, "-P", "-m", "scanbus.monitor", str(setup.fileno())])  # noqa: S606


def _locked(path: Path) -> int:
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 20).decode().strip()
            os.close(lock)
            raise Conflict(
                f"Scanbus runs already (process {holder}) with the folder {path.parent}: stop that one, "
                "or give this one a folder of its own with --set state_folder=FOLDER."
            ) from error
        # The file may have been removed by its last holder while we were opening it.
        if path.exists() and os.fstat(lock).st_ino == path.stat().st_ino:
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
            return lock
        os.close(lock)


def actor(config: Config, kind: str, instance: str, endpoint: str) -> None:
    """Serve one actor on the bus of a running service until told to stop. Raises NotFound, Unavailable, Denied."""
    import faulthandler
    import socket

    import structlog

    from bus.endpoints import default_endpoint
    from scanbus import logs
    from scanbus.process import join

    faulthandler.enable()
    logs.configure(config.log, kind)
    log = structlog.get_logger()
    endpoint = endpoint or default_endpoint(config)
    log.info("waiting for the service", endpoint=endpoint)
    # Not a process of the monitor's, so it must not have the name of one.
    name = f"{kind}@{socket.gethostname()}"
    asyncio.run(join(config, [kind], name, instance, endpoint=endpoint, say=lambda _: log.info("joined")))
