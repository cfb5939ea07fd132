from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="eats_memory.ask"):
    fault: bool = True


class EatsMemory(Actor):
    """Takes more and more memory, and gives none back."""

    service = "eats_memory"

    async def start(self, ctx: Context) -> None:
        self.hoard: list[bytes] = []

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        while msg.fault:
            self.hoard.append(b"x" * (4 << 20))
        return Said(text="fine")
