from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="raises_in_start.ask"):
    pass


class RaisesInStart(Actor):
    """Its start raises what nobody expected, and so does its stop, which counts on a start."""

    service = "raises_in_start"
    opened: str

    async def start(self, ctx: Context) -> None:
        raise ZeroDivisionError("the shelf is empty")

    async def stop(self) -> None:
        self.opened.strip()

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        return Said()
