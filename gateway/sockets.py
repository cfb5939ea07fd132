"""One browser's WebSocket: carries out what its `Connection` decides."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.desk import Desk
from gateway.mailbox import Mailbox
from gateway.session import Action, Ask, Cancel, Close, Connection, Send
from schemas.config import GatewayConfig
from schemas.message import Event, Message
from schemas.session import Opened

SUBPROTOCOL = "scanbus.v1"
CLOSE_GRACE_S = 1.0
"""How long a browser that reads nothing may hold up the end of its connection."""
TOO_SLOW = Close(1013, "Too much was waiting to be read. Connect again.")


class Client:
    """One connected browser, from its first frame to its last."""

    def __init__(self, websocket: WebSocket, desk: Desk, config: GatewayConfig, origin: str) -> None:
        self.session = ""
        self._websocket = websocket
        self._desk = desk
        self._origin = origin
        self._connection = Connection(config.request_limit_bytes)
        self._mailbox = Mailbox(config.queue_letters)
        self._asked: dict[str, asyncio.Task[Message]] = {}
        self._close: Close | None = None
        self._gone = False

    async def run(self) -> None:
        """Serve until either side closes; requests that are detached go on afterwards."""
        await self._websocket.accept(subprotocol=SUBPROTOCOL)
        loops = [asyncio.create_task(work) for work in (self._read(), self._write(), self._watch())]
        try:
            await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._perform(self._connection.lost())
            self._gone = True
            if self.session:
                self._desk.attendance.leave(self.session, self._origin)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
        if self._close is not None:
            with suppress(TimeoutError, WebSocketDisconnect):
                async with asyncio.timeout(CLOSE_GRACE_S):
                    await self._websocket.close(self._close.code, self._close.reason)

    def hear(self, event: Event) -> None:
        """Pass on an event that this session may hear."""
        self._perform(self._connection.hear(event))

    def ended(self) -> None:
        """The session is gone."""
        self._perform(self._connection.ended())

    async def _read(self) -> None:
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            self._perform(self._connection.receive(event.get("text") or event.get("bytes") or ""))
            # Frames that came together are all here at once: the writer must have its turn between them.
            await asyncio.sleep(0)

    async def _write(self) -> None:
        while (data := await self._mailbox.get()) is not None:
            try:
                await self._websocket.send_text(data.decode())
            except WebSocketDisconnect:
                return

    async def _watch(self) -> None:
        await self._mailbox.overflowed.wait()
        self._close = TOO_SLOW

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(letter):
                    self._mailbox.put(letter)
                case Ask(key, message):
                    self._ask(key, message)
                case Cancel(key):
                    self._asked[key].cancel()
                case Close():
                    self._close = action
                    self._mailbox.close()

    def _ask(self, key: str, message: Message) -> None:
        def part(body: Message) -> None:
            self._perform(self._connection.part(key, body))

        def reply(body: Message) -> None:
            del self._asked[key]
            if isinstance(body, Opened) and not self._gone:
                self.session = body.session_id
                self._desk.attendance.enter(self.session, self._origin)
            self._perform(self._connection.answer(key, body))

        self._asked[key] = self._desk.ask(message, session=self.session, origin=self._origin, part=part, reply=reply)
