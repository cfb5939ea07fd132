"""Statuses are told apart, there and back."""

import pytest

from actors.device.recording import error_from, status_text
from actors.device.sane_status import STATUSES, Status, error_of, status_of
from schemas.errors import DriverFailed, PaperJam


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_tells_its_status(status: Status) -> None:
    assert status_of(error_of(status)) is status
    again = error_from(status_text(error_of(status)))
    assert (type(again), again.text) == (type(error_of(status)), error_of(status).text)


@pytest.mark.parametrize("error", [error_of(77), DriverFailed("The scanner's driver failed: smoke."), PaperJam("Oh.")])
def test_an_error_that_is_none_of_sanes_keeps_its_words(error: DriverFailed) -> None:
    assert status_of(error) is None
    assert error_from(status_text(error)).text == error.text
