"""Memory that is free belongs to everybody."""

import subprocess
import sys

import pytest

_WORK = """
import re, sys
from pathlib import Path
from bus import memory

def taken_mb():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10

memory.return_large()
before = taken_mb()
for _ in range(3):
    pieces = [bytearray(b"x") * (8 << 20) for _ in range(10)]
    # What is free below a piece that is still used cannot be given back where all come from one heap.
    last = pieces.pop()
    pieces.clear()
print(taken_mb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux says how much a process takes in /proc")
def test_large_pieces_are_given_back_whatever_lies_above_them() -> None:
    run = subprocess.run([sys.executable, "-c", _WORK], capture_output=True, text=True, timeout=60, check=True)
    assert int(run.stdout) < 16
