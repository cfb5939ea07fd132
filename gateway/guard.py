"""The door of every route: without it, one forgotten check would open the scanner to any web page."""

import re

from msgspec import json
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.letters import Letter
from gateway.origins import Facts, decide
from schemas.envelope import Kind
from schemas.errors import Failure

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Lets through what `origins.decide` has nothing against, and gives every response its safety headers."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection: HTTP or WebSocket."""

        async def send_safely(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                message["headers"] = headers.raw
            await send(message)

        refusal = decide(facts(scope), self._names)
        if refusal is None:
            await self._app(scope, receive, send_safely)
        else:
            failure = Failure(code=refusal.code, text=refusal.text)
            await failed(scope["path"], failure, refusal.status)(scope, receive, send_safely)


def facts(scope: Scope) -> Facts:
    """What `origins.decide` wants to know of an ASGI connection."""
    sent: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        sent.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return Facts(
        method=scope.get("method", "GET"),
        target=scope["raw_path"].decode("latin-1"),
        scheme="https" if scope["scheme"] in ("https", "wss") else "http",
        port=scope["server"][1],
        hosts=tuple(sent.get("host", ())),
        origins=tuple(sent.get("origin", ())),
        fetch_site=",".join(sent.get("sec-fetch-site", ())),
        fetch_mode=",".join(sent.get("sec-fetch-mode", ())),
        content_type=",".join(sent.get("content-type", ())),
        head_bytes=sum(len(name) + len(value) for name, value in scope["headers"]),
        control_bytes=any(_CONTROL.search(value) for _, value in scope["headers"]),
    )


def failed(path: str, failure: Failure, status: int) -> Response:
    """A failure in the shape of the path: a reply line for `/v1/call`, JSON below `/v1`, else a sentence."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if path == "/v1/call":
        line = Letter(kind=Kind.REPLY, body=failure).encode() + b"\n"
        return Response(line, status, headers, "application/x-ndjson")
    if path.startswith("/v1/"):
        return Response(json.encode(failure), status, headers, "application/json")
    return PlainTextResponse(f"{failure.text}\n", status, headers)
