from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="busy_loop.ask"):
    fault: bool = True


class BusyLoop(Actor):
    """Computes for ever and never awaits."""

    service = "busy_loop"

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        while msg.fault:
            pass
        return Said(text="fine")
