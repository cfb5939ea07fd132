import os
from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="exits.ask"):
    pass


class Exits(Actor):
    """Its process ends while it starts, without a word."""

    service = "exits"

    async def start(self, ctx: Context) -> None:
        os._exit(3)

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        return Said()
