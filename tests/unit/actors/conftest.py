"""A house of its own for each claim."""

from pathlib import Path

import pytest

from schemas.config import Config
from tests.house import virtual_config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return virtual_config(tmp_path)
