"""Processes are killed while somebody scans, edits and saves; `make torture` does so more often, with more paper."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import quick_folder
from tests.torture.kills import VICTIMS, Killing
from tests.torture.verdict import judge

SEED = 4


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Path(name).resolve()


def test_whoever_is_killed_no_page_is_lost_doubled_or_out_of_order_and_no_connection_refused(folder: Path) -> None:
    killing = Killing(folder, SEED, sheets=60, within_s=1.0)
    assert judge("kills", SEED, killing.tries(2 * len(VICTIMS))) == 0
    assert killing.refused == 0
