"""A figure, its limit, and whether it holds."""

import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter


class Report:
    """Prints each figure as it is known; `failed` is how many are over their limits."""

    def __init__(self) -> None:
        self.failed = 0

    def figure(self, what: str, value: float, unit: str, limit: float, note: str = "") -> None:
        fine = value <= limit
        self.failed += not fine
        verdict = "ok" if fine else "OVER"
        print(f"{what:<58} {value:>9.3f} {unit:<3} limit {limit:g} {unit:<3} {verdict}  {note}".rstrip(), flush=True)


def seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def spread(values: list[float]) -> str:
    return f"(n={len(values)}, {min(values):.3f} to {max(values):.3f})"


def median(values: list[float]) -> float:
    return statistics.median(values)


def pss_mb(pids: list[int]) -> float:
    """Memory of processes in MB, shared pages counted once over those that share them; ended ones count nothing."""
    total_kb = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total_kb += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total_kb / 1024
