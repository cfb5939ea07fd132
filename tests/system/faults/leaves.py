import os
from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="leaves.ask"):
    pass


class Leaves(Actor):
    """Its process ends while it starts, with the exit code of one that has done its work."""

    service = "leaves"

    async def start(self, ctx: Context) -> None:
        os._exit(0)

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        return Said()
