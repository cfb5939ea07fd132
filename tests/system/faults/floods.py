from typing import Any

from bus import Actor, Context, on
from schemas.device import ListDevices
from schemas.envelope import Kind
from schemas.message import Request
from tests.system.faults.words import Noise, Said

LONG = "x" * 1_000_000


class Ask(Request[Said, Said], tag="floods.ask"):
    fault: str = ""


class Floods(Actor):
    """Sends letters without end, faster than anybody can read them."""

    service = "floods"

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        port: Any = ctx._runtime._port
        while msg.fault:
            match msg.fault:
                case "parts":
                    ctx.part(Said(text="x"))
                case "long parts":
                    ctx.part(Said(text=LONG))
                case "events":
                    ctx.publish(Noise())
                case "long events":
                    ctx.publish(Noise(filler=LONG))
                case "rubbish":
                    port._pumps[0].send([b"\xff"])
                case "requests":
                    for _ in range(5000):
                        ctx._runtime.write(Kind.REQUEST, ListDevices(), to="device", re="", ctx=ctx, ttl=10.0)
                    break
        return Said(text="fine")
