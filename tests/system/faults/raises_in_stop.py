from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="raises_in_stop.ask"):
    pass


class RaisesInStop(Actor):
    """Does its work, and raises when it shall leave."""

    service = "raises_in_stop"

    async def stop(self) -> None:
        raise ZeroDivisionError("nothing to put back")

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        return Said(text="fine")
