"""What was acknowledged survives power losses and storage that fails; `make torture` tries it more often."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture import crash_states, storage_calls
from tests.torture.__main__ import WORKERS, quick_folder
from tests.torture.verdict import judge

SEED = 4


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Path(name).resolve()


def test_whatever_a_power_loss_leaves_opens_with_every_page_that_was_acknowledged(folder: Path) -> None:
    crash_states.record(folder)
    assert judge("crash states", SEED, crash_states.try_losses(folder, SEED, 500, WORKERS)) == 0


def test_after_a_storage_call_that_failed_everything_is_there_and_work_goes_on(folder: Path) -> None:
    assert judge("storage calls", SEED, storage_calls.try_calls(folder, SEED, 80, WORKERS)) == 0
