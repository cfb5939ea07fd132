import os
import signal
from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="killed.ask"):
    fault: bool = True


class Killed(Actor):
    """Its process is killed in mid-request."""

    service = "killed"

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        if msg.fault:
            os.kill(os.getpid(), signal.SIGKILL)
        return Said(text="fine")
