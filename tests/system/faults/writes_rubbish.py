from typing import Any, Never

import msgspec

from bus import Actor, Context, on
from bus.codec import encode
from schemas.envelope import Envelope, Kind
from schemas.message import Request
from tests.system.faults.words import Said

NO_TEXT = b"\x82\xa4type\xa2\xff\xff\xa4text\xa2\xff\xff"
"""A map whose text is no UTF-8."""
RUBBISH = (
    b"",
    b"\xc1",
    b"\xff" * 100,
    b"\x91" * 5000,
    b"{}",
    b"\x82\xa2id\xa2\xff\xff\xa4kind\xa7request",
    encode(Envelope(id="x", kind=Kind.REQUEST, to="bus", ttl=1.0, body=msgspec.Raw(NO_TEXT))),
    encode(Envelope(id="x", kind=Kind.REQUEST, to="\0/\udbff".encode("utf-8", "replace").decode(), ttl=float("nan"))),
    encode(Envelope(id="x", kind=Kind.CANCEL, re="nothing")),
    *(
        encode(Envelope(id="x", kind=Kind.EVENT, to=topic, body=msgspec.Raw(body)))
        for topic in ("", "buffer.changed", "bus.service_changed", "device.device_found", "welcome/")
        for body in (b"\xc0", b"\x01", NO_TEXT)
    ),
    b"\0" * (1 << 20),
)


class Ask(Request[Said, Never], tag="writes_rubbish.ask"):
    fault: str = "letters"


class WritesRubbish(Actor):
    """Sends bytes that are no letters, and letters whose bodies say nothing."""

    service = "writes_rubbish"

    @on(Ask)
    async def ask(self, msg: Ask, ctx: Context) -> Said:
        port: Any = ctx._runtime._port
        if msg.fault == "letters":
            for data in RUBBISH:
                port._pumps[0].send([data])
        if msg.fault == "reply":
            assert ctx._cause is not None
            port.send(Envelope(id="x", kind=Kind.REPLY, re=ctx._cause.id, body=msgspec.Raw(NO_TEXT)))
        return Said(text="fine")
