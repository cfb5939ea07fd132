"""How a long series of tries is told: without it, each proof would count and round in its own way."""

import sys
from collections.abc import Iterable
from time import monotonic

SHOWN = 5
"""Failures that are told in full."""


def judge(subject: str, seed: int, ends: Iterable[tuple[str, str]]) -> int:
    """Print how tries ended, given as (what was tried, what is wrong or ""); gives the number of failures.

    Without a failure in N tries, the chance of one is below 3/N with 95 % confidence (the rule of three).
    """
    began, tries, failures = monotonic(), 0, 0
    for tried, wrong in ends:
        tries += 1
        if wrong:
            failures += 1
            if failures <= SHOWN:
                print(f"{subject}: FAILED {tried}: {wrong}", flush=True)
        if sys.stdout.isatty() and tries % 20 == 0:
            print(f"\r{subject}: {tries}", end="", flush=True)
    bound = f"below {300 / tries:.3g} % at 95 %" if tries and not failures else "no bound"
    print(f"\r{subject}: {failures} failures in {tries} tries, {bound}; seed {seed}, {monotonic() - began:.0f} s")
    return failures
