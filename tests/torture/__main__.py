"""`make torture`: the proofs in full length, those that are named or all. Prints seeds and what the counts support."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.disks import quick_folder
from tests.torture import corruption, crash_states, kills, storage_calls, thick_stack
from tests.torture.verdict import judge

WORKERS = os.cpu_count() or 1


def _crash_states(folder: Path, seed: int, tries: int) -> int:
    crash_states.record(folder)
    return judge("crash states", seed, crash_states.try_losses(folder, seed, tries or 10_000, WORKERS))


def _storage_calls(folder: Path, seed: int, tries: int) -> int:
    return judge("storage calls", seed, storage_calls.try_calls(folder, seed, tries, WORKERS))


def _corruption(folder: Path, seed: int, tries: int) -> int:
    return judge("corruption", seed, corruption.try_damages(folder, seed, tries or 5_000, WORKERS))


def _thick_stack(folder: Path, seed: int, tries: int) -> int:
    # Gigabytes, that nobody shall keep in memory.
    with tempfile.TemporaryDirectory() as disk:
        wrong = thick_stack.try_pages(Path(disk).resolve(), tries or thick_stack.PAGES)
    print(f"thick stack: FAILED {wrong}" if wrong else "thick stack: in little memory", flush=True)
    return 1 if wrong else 0


def _kills(folder: Path, seed: int, tries: int) -> int:
    killing = kills.Killing(folder, seed, sheets=500)
    failures = judge("kills", seed, killing.tries(tries or 1000))
    print(*(f"kills: {figure}" for figure in killing.figures()), sep="\n")
    return failures + killing.refused + killing.late()


PROOFS: dict[str, Callable[[Path, int, int], int]] = {
    "crash-states": _crash_states,
    "storage-calls": _storage_calls,
    "corruption": _corruption,
    "thick-stack": _thick_stack,
    "kills": _kills,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("proof", nargs="*", help=f"of {', '.join(PROOFS)}; all of them, if none is named")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--tries", type=int, default=0, help="how often; 0: as often as the issue asks for")
    arguments = parser.parse_args()
    unknown = set(arguments.proof) - set(PROOFS)
    if unknown:
        parser.error(f"there is no proof {min(unknown)!r}: there are {', '.join(PROOFS)}")
    failures = 0
    for proof in arguments.proof or PROOFS:
        with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
            failures += PROOFS[proof](Path(folder).resolve(), arguments.seed, arguments.tries)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
