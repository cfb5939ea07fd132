"""A house of its own for each claim."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.config import Config
from tests.house import virtual_config
from tests.stage import Stage, StageDriver, add_driver


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return virtual_config(tmp_path)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """What the driver `stage` does; whatever hangs is released in the end."""
    add_driver(monkeypatch, tmp_path, "stage", "tests.stage:StageDriver")
    monkeypatch.setattr(StageDriver, "stage", Stage(), raising=False)
    yield StageDriver.stage
    StageDriver.stage.released.set()
