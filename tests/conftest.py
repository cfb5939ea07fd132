"""SANE's own test device, and nothing else that this computer may have."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sane_test_devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SANE knows `test:0` and `test:1` only, without their bug; this is read when SANE first starts."""
    folder = tmp_path_factory.mktemp("sane")
    (folder / "dll.conf").write_text("test\n")
    (folder / "test.conf").write_text("number_of_devices 2\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SANE_CONFIG_DIR", str(folder))
        if find_spec("_sane"):
            environment.setattr("actors.device.sane.Handle", import_module("scripts.calm").CalmHandle)
        yield folder
