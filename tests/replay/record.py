"""`make traces`: records each story anew whose old trace does not play as it was; `--all` records all."""

import asyncio
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import msgspec

from bus.recorded import blobs_in
from bus.trace import Recorder
from scanbus import logs
from schemas.config import LogConfig
from schemas.envelope import Envelope
from tests.house import House, house
from tests.replay.play import play_all
from tests.replay.stories import STORIES, config_for

TRACES = Path(__file__).parent / "traces"
HEARTBEATS = {"bus.register", "bus.registered"}


class Copier:
    """Hands letters on to a recorder, without heartbeats, and copies the blobs that they name while they are there."""

    def __init__(self, here: House, recorder: Recorder, folder: Path) -> None:
        self._here = here
        self._recorder = recorder
        self._folder = folder

    def note(self, now: float, letter: Envelope, data: bytes) -> None:
        body = msgspec.msgpack.decode(letter.body)
        if isinstance(body, dict) and body.get("type") in HEARTBEATS:
            return
        self._recorder.note(now, letter, data)
        for blob in blobs_in(body):
            if self._here.store.exists(letter.session, blob.name):
                self._folder.mkdir(exist_ok=True)
                (self._folder / blob.name).write_bytes(self._here.store.read(letter.session, blob.name))


async def record(name: str, path: Path) -> None:
    """Play a story in a house of its own, and write what is said."""
    with tempfile.TemporaryDirectory() as folder:
        async with house(config_for(Path(folder))) as here:
            with Recorder(path, version=version("scanbus"), broker=here.broker.name, private={}) as recorder:
                copier = Copier(here, recorder, path.with_suffix(".blobs"))
                here.broker.watchers.append(copier.note)
                await STORIES[name](here)
                here.broker.watchers.remove(copier.note)


def main() -> None:
    logs.configure(LogConfig(level="error"), "traces")
    for name in STORIES:
        path = TRACES / version("scanbus") / f"{name}.jsonl"
        if path.exists() and "--all" not in sys.argv:
            differences = asyncio.run(play_all(path))
            if not differences:
                continue
            print(f"{name}:", *differences, sep="\n  ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        shutil.rmtree(path.with_suffix(".blobs"), ignore_errors=True)
        asyncio.run(record(name, path))
        path.chmod(0o644)
        print(f"{path}: recorded")


if __name__ == "__main__":
    main()
