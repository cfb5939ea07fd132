import asyncio
from typing import ClassVar, Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="answers_late.ask"):
    fault: bool = True


class AnswersLate(Actor):
    """Answers when the time is over: what tells it to stop makes it finish."""

    service = "answers_late"
    slots: ClassVar[int] = 1

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        if msg.fault:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Said(text="late")
        return Said(text="fine")
