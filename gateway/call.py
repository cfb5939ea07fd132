"""`POST /v1/call`: one message in, lines out, for programs that have no WebSocket."""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from gateway.desk import Desk
from gateway.guard import failed
from gateway.letters import Letter, read_request
from gateway.mailbox import Mailbox
from gateway.session import WITHOUT_SESSION
from schemas.config import GatewayConfig
from schemas.envelope import Kind
from schemas.errors import CODES, Denied, Failure, Internal, ScanbusError, TooLarge
from schemas.message import Message

NO_SESSION = "Open a session first: send session.open, then its token as `Authorization: Bearer TOKEN`."


class Call:
    """The ASGI application of the one route."""

    def __init__(self, desk: Desk, config: GatewayConfig) -> None:
        self._desk = desk
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; when the asker hangs up, it is canceled unless its type is detached."""
        request = Request(scope, receive)
        origin = request.headers.get("origin", "")
        try:
            message = read_request(await self._body(request))
        except ScanbusError as error:
            await failed(request.url.path, error.failure(), error.http_status)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        session = await self._session(request, origin)
        if not session and not isinstance(message, WITHOUT_SESSION):
            await failed(request.url.path, Denied(NO_SESSION).failure(), 401)(scope, receive, send)
            return
        answer = _Answer(self._config.queue_letters)
        task = self._desk.ask(message, session=session, origin=origin, part=answer.part, reply=answer.reply)
        ends = [asyncio.create_task(work) for work in (_until_gone(receive), answer.send(scope, send))]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not getattr(message, "detached", False):
                task.cancel()
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._config.request_limit_bytes:
                raise TooLarge(f"A message has at most {self._config.request_limit_bytes} bytes.")
        return bytes(body)

    async def _session(self, request: Request, origin: str) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return await self._desk.session_of(token.strip(), origin) if scheme.lower() == "bearer" else ""


class _Answer:
    """What is said to one request, as lines."""

    def __init__(self, limit: int) -> None:
        self._mailbox = Mailbox(limit)
        self._status = 200
        self._said = False

    def part(self, body: Message) -> None:
        self._said = True
        self._mailbox.put(Letter(kind=Kind.PART, body=body))

    def reply(self, body: Message) -> None:
        if isinstance(body, Failure) and not self._said:
            self._status = CODES.get(body.code, Internal).http_status
        self._mailbox.put(Letter(kind=Kind.REPLY, body=body))
        self._mailbox.close()

    async def send(self, scope: Scope, send: Send) -> None:
        line = await self._mailbox.get()
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        while line is not None:
            await send({"type": "http.response.body", "body": line + b"\n", "more_body": True})
            line = await self._mailbox.get()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
