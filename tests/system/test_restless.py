"""A device that does not come back costs its process, and its users seconds."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

pytest.importorskip("_sane", reason="SANE is not on this system")

from actors.device.host import STOP_S
from scanbus.client import Client, ScannerError
from tests.stage import install_driver
from tests.system.conftest import Service, until

SMALL = {"resolution_dpi": 75, "area": {"width_mm": 20, "height_mm": 10}}
MARGIN_S = 2.0
"""For a busy machine."""
DEVICE = "restless:test:0"


def test_its_error_is_told_at_once_and_it_scans_again_within_seconds(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    install_driver(tmp_path, "restless", "tests.restless:RestlessDriver")
    service = make_service(
        PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}",
        SCANBUS_DEVICE__DRIVERS=json.dumps(["restless"]),
    )
    service.start()

    def scans(client: Client) -> bool:
        try:
            return len(list(client.scan(DEVICE, **SMALL))) == 1
        except ScannerError as error:
            assert error.code == "driver_failed"
            assert re.search("did not answer; it was restarted. Press Scan again", error.text)
            return False

    with service.client() as client:
        assert scans(client)
        stuck = service.processes()[f"driver/{DEVICE}"]
        began = monotonic()
        with pytest.raises(ScannerError) as caught:
            list(client.scan(DEVICE, **SMALL, options={"read-return-value": "SANE_STATUS_JAMMED"}))
        assert caught.value.code == "paper_jam"
        assert monotonic() - began < MARGIN_S
        until(lambda: scans(client), "it scans again")
        assert monotonic() - began < STOP_S + 2 * MARGIN_S
    assert service.processes()[f"driver/{DEVICE}"] != stuck
