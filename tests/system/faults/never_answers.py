import asyncio
from typing import ClassVar, Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="never_answers.ask"):
    fault: bool = True


class NeverAnswers(Actor):
    """Gives no answer and does not stop when it is told to, though it lives."""

    service = "never_answers"
    slots: ClassVar[int] = 1

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        while msg.fault:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue
        return Said(text="fine")
