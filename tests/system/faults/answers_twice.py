from typing import ClassVar, Never

from bus import Actor, Context, on
from schemas.envelope import Kind
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="answers_twice.ask"):
    fault: bool = True


class AnswersTwice(Actor):
    """Sends two replies, and a part after them, to one request."""

    service = "answers_twice"
    slots: ClassVar[int] = 1

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        if msg.fault:
            cause = ctx._cause
            assert cause is not None
            for kind, text in ((Kind.REPLY, "first"), (Kind.REPLY, "second"), (Kind.PART, "part")):
                ctx._runtime.write(kind, Said(text=text), to=cause.sender, re=cause.id, ctx=ctx)
        return Said(text="fine")
