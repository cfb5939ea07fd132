"""Types are addresses, for a type checker too: wrong handlers and wrong uses are errors before anything runs."""

from pathlib import Path

import pytest
from mypy import api

PROGRAM = """
from bus import Actor, Context, on
from schemas.bus import Status
from schemas.device import Describe, Described, DeviceLost, ListDevices, Scan, Scanned

class Good(Actor):
    service = "device"

    @on(Scan)
    async def scan(self, msg: Scan, ctx: Context) -> Scanned:
        raise NotImplementedError

    @on(DeviceLost)
    async def lost(self, msg: DeviceLost, ctx: Context) -> None:
        return

    async def ask(self, ctx: Context) -> None:
        reveal_type(await ctx.call(ListDevices()))
        async with ctx.stream(Scan(device_id="x")) as stream:
            async for part in stream:
                reveal_type(part)
            reveal_type(await stream.reply())

class Bad(Actor):
    service = "device"

    @on(Describe)
    async def describe(self, msg: Describe, ctx: Context) -> Status:  # wrong reply
        raise NotImplementedError

    async def ask(self, ctx: Context) -> str:
        return await ctx.call(ListDevices())  # wrong use
"""


def test_a_type_checker_knows_replies_and_parts_and_refuses_wrong_handlers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    root = Path(__file__).parents[3]
    monkeypatch.setenv("MYPYPATH", str(root))
    told, _, _ = api.run(
        ["--config-file", str(root / "pyproject.toml"), "--cache-dir", str(root / ".mypy_cache"), str(program)]
    )
    lines = [line.partition(": ")[2] for line in told.splitlines()]
    assert [line for line in lines if "Revealed" in line] == [
        'note: Revealed type is "schemas.device.Devices"',
        'note: Revealed type is "schemas.device.Started | schemas.device.ScannedPage | schemas.device.Progress'
        ' | schemas.device.Paused | schemas.device.Continued | schemas.device.Repeated"',
        'note: Revealed type is "schemas.device.Scanned"',
    ]
    errors = [line for line in told.splitlines() if ": error:" in line]
    numbers = [int(line.split(":")[1]) for line in errors]
    wrong = [number for number, line in enumerate(PROGRAM.splitlines(), 1) if "# wrong" in line]
    assert len(numbers) == 2
    assert {numbers[1]} == {wrong[1]} and wrong[0] - 1 <= numbers[0] <= wrong[0]
