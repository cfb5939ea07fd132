"""Where the broker lives and who may connect: a private folder, or TCP with CURVE and a list of keys."""

import os
import stat
import sys
import tempfile
from pathlib import Path

import zmq
from zmq.auth import load_certificate
from zmq.utils import z85

from schemas.config import Config
from schemas.errors import Denied

WELCOME = b"welcome/"
"""The topic, followed by a port's name, by which the broker proves that it knows the port's subscriptions."""


def runtime_folder(config: Config) -> Path:
    """The folder for sockets and locks, made private. Raises Denied where somebody else owns it."""
    if config.runtime_folder:
        return private_folder(Path(config.runtime_folder))
    if "XDG_RUNTIME_DIR" in os.environ:
        return private_folder(Path(os.environ["XDG_RUNTIME_DIR"]) / "scanbus")
    owner = os.getuid() if hasattr(os, "getuid") else 0
    return private_folder(Path(tempfile.gettempdir()) / f"scanbus-{owner}")


def state_folder(config: Config) -> Path:
    """The folder for pages, keys and documents, made private. Raises Denied where somebody else owns it."""
    if config.state_folder:
        return private_folder(Path(config.state_folder))
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return private_folder(Path(home) / "scanbus")


def default_endpoint(config: Config) -> str:
    """Where the broker listens unless told otherwise."""
    if config.bus.endpoint:
        return config.bus.endpoint
    if sys.platform == "win32":
        return "tcp://127.0.0.1:18630"
    return f"ipc://{runtime_folder(config) / 'bus'}"


def events_of(endpoint: str) -> str:
    """The address of the events beside the letters: the next port, or the file with `.events`."""
    if endpoint.startswith("tcp://"):
        host, _, port = endpoint.rpartition(":")
        return f"{host}:{int(port) + 1}"
    return f"{endpoint}.events"


def keys_folder(config: Config) -> Path:
    """Where the CURVE keys are."""
    return private_folder(Path(config.bus.keys_folder) if config.bus.keys_folder else state_folder(config) / "keys")


def make_keys(config: Config) -> None:
    """Make the broker's and a worker's key pair where they are missing, and allow that worker."""
    folder = keys_folder(config)
    (folder / "allowed").mkdir(mode=0o700, exist_ok=True)
    for name in ("broker", "worker"):
        path = folder / f"{name}.key_secret"
        if path.exists():
            continue
        zmq.auth.create_certificates(folder, name)
        (folder / f"{name}.key").replace(folder / f"{name}.pub")
        path.chmod(0o600)
        if name == "worker":
            (folder / "allowed" / "worker.pub").write_bytes((folder / "worker.pub").read_bytes())


def secure_server(socket: "zmq.Socket[bytes]", endpoint: str, config: Config) -> bool:
    """Demand CURVE of whoever connects over TCP; tells whether an `Allowed` list must answer for it."""
    if not endpoint.startswith("tcp://"):
        return False
    public, secret = load_certificate(keys_folder(config) / "broker.key_secret")
    socket.curve_publickey, socket.curve_secretkey, socket.curve_server = public, secret or b"", True
    socket.setsockopt(zmq.ZAP_DOMAIN, b"scanbus")
    # Without it, a missing handler would let everybody in.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    return True


def secure_client(socket: "zmq.Socket[bytes]", endpoint: str, config: Config) -> None:
    """Show our key, and demand the broker's, over TCP. Raises Denied where there is no key."""
    if not endpoint.startswith("tcp://"):
        return
    folder = keys_folder(config)
    try:
        broker, _ = load_certificate(folder / "broker.pub")
        public, secret = load_certificate(folder / "worker.key_secret")
    except OSError as error:
        raise Denied(f"A worker over TCP needs broker.pub and worker.key_secret in its keys folder: {error}") from error
    socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = broker, public, secret or b""


def allowed(config: Config, frames: list[bytes]) -> list[bytes]:
    """Answer one ZAP 1.0 request: 200 for a CURVE key in the list, read anew each time; 400 for all else."""
    version, request, domain, _address, _identity, mechanism, *credentials = frames
    folder = keys_folder(config) / "allowed"
    keys = {load_certificate(path)[0] for path in folder.glob("*.pub")}
    fine = domain == b"scanbus" and mechanism == b"CURVE" and z85.encode(credentials[0]) in keys
    status, text = (b"200", b"OK") if fine else (b"400", b"this key is not in the list")
    return [version, request, status, text, b"worker" if fine else b"", b""]


def private_folder(folder: Path) -> Path:
    """Make a folder that is for this user alone. Raises Denied where somebody else owns it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not hasattr(os, "getuid"):
        return folder
    facts = folder.lstat()
    if facts.st_uid != os.getuid() or not stat.S_ISDIR(facts.st_mode):
        raise Denied(f"{folder} belongs to somebody else: name another folder in the configuration.")
    if stat.S_IMODE(facts.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder
