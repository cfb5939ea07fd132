"""What was acknowledged survives power losses, storage that fails, and damage; `make torture` tries it more often."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import quick_folder
from tests.torture import corruption, crash_states, storage_calls
from tests.torture.__main__ import WORKERS
from tests.torture.verdict import judge

SEED = 4
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the shim is for Linux")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Path(name).resolve()


def test_whatever_a_power_loss_leaves_opens_with_every_page_that_was_acknowledged(folder: Path) -> None:
    crash_states.record(folder)
    assert judge("crash states", SEED, crash_states.try_losses(folder, SEED, 500, WORKERS)) == 0


def test_after_a_storage_call_that_failed_everything_is_there_and_work_goes_on(folder: Path) -> None:
    assert judge("storage calls", SEED, storage_calls.try_calls(folder, SEED, 80, WORKERS)) == 0


def test_of_a_damaged_file_only_what_was_in_it_is_lost_and_that_is_told(folder: Path) -> None:
    assert judge("corruption", SEED, corruption.try_damages(folder, SEED, 60, WORKERS)) == 0
