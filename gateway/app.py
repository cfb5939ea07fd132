"""The routes: what a browser can reach, and in which shape it is told that it cannot."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from gateway.call import Call
from gateway.desk import Desk
from gateway.files import Files
from gateway.guard import Guard, failed
from gateway.site import Site
from gateway.sockets import SUBPROTOCOL, Client
from schemas.config import GatewayConfig
from schemas.errors import Internal, Invalid, NotFound, ScanbusError, Unsupported


def application(
    desk: Desk, files: Files, site: Site, config: GatewayConfig, health: Callable[[], list[str]], clients: set[Client]
) -> ASGIApp:
    """Everything behind the guard; `clients` always holds the browsers that are connected."""

    async def healthz(_request: Request) -> Response:
        reasons = health()
        if reasons:
            return JSONResponse({"status": "failing", "version": desk.version, "reasons": reasons}, 503)
        return JSONResponse({"status": "ok", "version": desk.version})

    async def socket(websocket: WebSocket) -> None:
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            text = f"Ask for the WebSocket sub-protocol {SUBPROTOCOL}.\n"
            await websocket.send_denial_response(PlainTextResponse(text, 400))
            return
        if len(clients) >= config.connections:
            text = f"{config.connections} connections are open already (gateway.connections). Close one.\n"
            await websocket.send_denial_response(PlainTextResponse(text, 503))
            return
        client = Client(websocket, desk, config, websocket.headers.get("origin", ""))
        clients.add(client)
        try:
            await client.run()
        finally:
            clients.discard(client)

    app = Starlette(
        routes=[
            Route("/", site.welcome),
            Route("/scan", site.scan),
            Route("/web/{path:path}", site.file),
            Route("/healthz", healthz),
            Route("/v1/call", Call(desk, config), methods=["POST"]),
            WebSocketRoute("/v1/socket", socket),
            Route("/v1/sessions/{session_id}/pages/{page_id}/image", files.image),
            Route("/v1/sessions/{session_id}/documents/{name}", files.document),
        ],
        exception_handlers={HTTPException: _refused, ScanbusError: _failed, Exception: _broken},
    )
    app.router.redirect_slashes = False
    return Guard(app, config.names)


async def _refused(request: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else 500)
    told = {404: NotFound("There is nothing at this address."), 405: Unsupported("This address takes another method.")}
    failure = told.get(status, Invalid(f"{status.phrase}.")).failure()
    return failed(request.url.path, failure, status)


async def _failed(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, ScanbusError) else Internal()
    return failed(request.url.path, known.failure(), known.http_status)


async def _broken(request: Request, _error: Exception) -> Response:
    return failed(request.url.path, Internal().failure(), Internal.http_status)
