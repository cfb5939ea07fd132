"""A recording that somebody's editor, disk or mail has changed gives errors that say so, and no other."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.device.check import MemorySink
from actors.device.recording import SHIPPED_FOLDER, read_recording
from actors.device.virtual import VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.errors import ScanbusError

NAMES = sorted(path.stem for path in SHIPPED_FOLDER.iterdir())
ODD = [b"0", b"-1", b"2.5", b"1e300", b"99999999999", b"1048576", b"true", b"null", b'"x"', b"[]"]
Edit = tuple[str, int, int]
EDITS = st.tuples(
    st.sampled_from(["drop", "repeat", "swap", "number", "byte", "cut"]),
    st.integers(0, 1 << 16),
    st.integers(0, 1 << 16),
)


def edited(lines: list[bytes], edit: Edit) -> list[bytes]:
    kind, one, other = edit
    if not lines:
        return lines
    one, there = one % len(lines), other % len(lines)
    line = lines[one]
    match kind:
        case "drop":
            return lines[:one] + lines[one + 1 :]
        case "repeat":
            return [*lines[:one], lines[there], *lines[one:]]
        case "swap":
            return [*lines[:one], lines[there], *lines[one + 1 :]]
        case "number":
            numbers = list(re.finditer(rb"-?\d[\d.]*", line))
            if not numbers:
                return lines
            begin, end = numbers[other % len(numbers)].span()
            return [*lines[:one], line[:begin] + ODD[other % len(ODD)] + line[end:], *lines[one + 1 :]]
        case "byte":
            place = other % max(1, len(line))
            return [*lines[:one], line[:place] + bytes([other % 256]) + line[place + 1 :], *lines[one + 1 :]]
        case _:
            return [*lines[:one], line[: other % (len(line) + 1)]]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recording") / "changed.jsonl"


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(NAMES), edits=st.lists(EDITS, min_size=1, max_size=4))
def test_a_changed_recording_plays_or_says_what_is_wrong(path: Path, name: str, edits: list[Edit]) -> None:
    whole = SHIPPED_FOLDER / f"{name}.jsonl"
    lines = whole.read_bytes().splitlines()
    for edit in edits:
        lines = edited(lines, edit)
    path.write_bytes(b"\n".join(lines) + b"\n")
    driver = VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="it", recording=str(path)),)))
    assert [found.address for found in driver.find()] == ["it"]
    try:
        device = driver.open("it")
        device.capabilities()
        device.acquire(read_recording(whole).head.settings, MemorySink())
    except ScanbusError as error:
        assert error.text.endswith(".")
