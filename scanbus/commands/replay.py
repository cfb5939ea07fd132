"""`scanbus trace replay`: whether the actors of a trace still say what they said then."""

import asyncio
import sys
import tempfile
from argparse import Namespace
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path

from msgspec.structs import replace

from bus.actor import Actor
from bus.compare import Difference
from bus.recorded import named_blobs, services
from bus.replay import replay_actor
from bus.trace import Trace, read
from scanbus import logs
from scanbus.commands.letters import count
from schemas import registry
from schemas.config import Config
from schemas.errors import Internal, NotFound


def play(config: Config, arguments: Namespace) -> None:
    """Print what is not as it was. Raises NotFound (no such trace or service), Internal where anything differs."""
    logs.configure(replace(config.log, level="error"), "replay")
    trace = read(arguments.file)
    there = [each for each in services(trace) if _registered(each)]
    if arguments.service and arguments.service not in there:
        raise NotFound(
            f"No {arguments.service!r} is in this trace that could be played. There are: {', '.join(there)}."
        )
    blobs = arguments.file.with_suffix(".blobs")
    gone = sum(not (blobs / name).exists() for name in named_blobs([line.letter for line in trace.lines]))
    if gone:
        print(f"{count(gone, 'blob')} not in {blobs}: whoever reads them says something else.", file=sys.stderr)
    found = 0
    for service in [arguments.service] if arguments.service else there:
        differences = _play(config, trace, service, blobs)
        found += len(differences)
        print(f"{service}: {count(len(differences), 'difference') if differences else 'as it was'}")
        for each in differences:
            print("  " + str(each).replace("\n", "\n  "))
    if found:
        raise Internal(f"{count(found, 'difference')} from what was said then.")


def _play(config: Config, trace: Trace, service: str, blobs: Path) -> list[Difference]:
    name, _, instance = service.partition("/")
    kind = next(iter(_registered(name))).load()

    def make() -> Actor:
        actor: Actor = kind(config, instance)
        return actor

    with tempfile.TemporaryDirectory() as folder:
        playing = replay_actor(trace, service, make, blobs, Path(folder), private=registry.private_fields())
        return asyncio.run(playing)


def _registered(service: str) -> EntryPoints:
    return entry_points(group="scanbus.actors", name=service.partition("/")[0])
