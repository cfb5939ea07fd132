import os
import subprocess
import sys
from typing import Never

from bus import Actor, Context, on
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="prints.ask"):
    fault: bool = True


class Prints(Actor):
    """Writes to standard output, as libraries do that were made for the command line."""

    service = "prints"

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        if msg.fault:
            print('Scanning...\n{"alive": "9.9"}', flush=True)
            os.write(sys.stdout.fileno(), b"\0\xff\xfe" * 1000 + b"\n")
            await ctx.offload(subprocess.run, ["sh", "-c", "echo a program says this; cat"])
        return Said(text="fine")
