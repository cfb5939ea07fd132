"""The gateway on a real port: what programs and pages get."""

import json
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from select import select
from time import monotonic
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from schemas.config import GatewayConfig

from .conftest import TIMEOUT_S, House, exchange, living

JSON = {"Content-Type": "application/json"}


class Answer:
    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


def ask(house: House, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection = HTTPConnection("127.0.0.1", house.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def call(house: House, message: dict[str, Any], token: str = "", **headers: str) -> Answer:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return ask(house, "POST", "/v1/call", json.dumps(message).encode(), **(JSON | headers))


def open_session(house: House) -> tuple[str, str]:
    opened = call(house, {"type": "session.open"}).lines[0]["body"]
    return opened["session_id"], opened["token"]


def browser(house: House, **options: Any) -> ClientConnection:
    options.setdefault("subprotocols", [Subprotocol("scanbus.v1")])
    return connect(f"ws://127.0.0.1:{house.port}/v1/socket", proxy=None, open_timeout=TIMEOUT_S, **options)


def say(socket: ClientConnection, key: str, **body: Any) -> None:
    socket.send(json.dumps({"kind": "request", "id": key, "body": body}))


def hear(socket: ClientConnection) -> dict[str, Any]:
    letter: dict[str, Any] = json.loads(socket.recv(TIMEOUT_S))
    return letter


def until_reply(socket: ClientConnection, key: str) -> list[dict[str, Any]]:
    letters = [hear(socket)]
    while letters[-1]["kind"] != "reply" or letters[-1].get("re") != key:
        letters.append(hear(socket))
    return letters


def begin(socket: ClientConnection, token: str = "") -> dict[str, Any]:
    say(socket, "open", type="session.open", token=token)
    return until_reply(socket, "open")[-1]["body"]


def until(true: Callable[[], bool]) -> None:
    """Ask again and again, at most for `TIMEOUT_S`."""
    end = monotonic() + TIMEOUT_S
    while not true():
        assert monotonic() < end, "it never became true"


class TestDoor:
    def test_health_is_told_honestly(self, house: House) -> None:
        answer = ask(house, "GET", "/healthz")
        assert (answer.status, answer.json) == (200, {"status": "ok", "version": "1.2.3"})
        house.gateway.health = lambda: ["pdf: given up"]
        answer = ask(house, "GET", "/healthz")
        assert (answer.status, answer.json["status"], answer.json["reasons"]) == (503, "failing", ["pdf: given up"])

    def test_a_rebound_name_gets_nothing_and_no_cors_headers(self, house: House) -> None:
        for path in ("/healthz", "/", "/v1/call"):
            answer = ask(house, "GET", path, Host=f"evil.example:{house.port}")
            assert answer.status == 421
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]

    def test_another_site_gets_nothing(self, house: House) -> None:
        answer = call(house, {"type": "device.list_devices"}, Origin="https://evil.example")
        assert (answer.status, answer.lines[0]["body"]["code"]) == (403, "denied")
        with pytest.raises(InvalidStatus) as refused, browser(house, origin="https://evil.example"):
            pass
        assert refused.value.response.status_code == 403

    def test_our_own_page_is_let_in(self, house: House) -> None:
        own = f"http://127.0.0.1:{house.port}"
        assert call(house, {"type": "device.list_devices"}, Origin=own).status == 200
        with browser(house, origin=own) as socket:
            assert begin(socket)["type"] == "session.opened"

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /healthz HTTP/1.1\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: %s\r\nHost: %s\r\n\r\n",
            b"GET http://%s/healthz HTTP/1.1\r\nHost: %s\r\n\r\n",
            b"GET /healthz HTTP/1.0\r\n\r\n",
            b"POST /v1/call HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            b"GET /healthz HTTP/1.1\r\nHost: %s\r\nX: a\x01b\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: %s\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
            b"nonsense\r\n\r\n",
        ],
        ids=lambda head: repr(head[:70]),
    )
    def test_what_is_not_well_formed_is_a_bad_request(self, house: House, head: bytes) -> None:
        sent = head.replace(b"%s", f"127.0.0.1:{house.port}".encode()).replace(
            b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1
        )
        assert exchange(house.port, sent).startswith(b"HTTP/1.1 400 ")

    def test_every_answer_carries_the_safety_headers(self, house: House) -> None:
        for path in ("/", "/healthz", "/nothing", "/v1/nothing", "/v1/sessions/x/documents/y"):
            headers = ask(house, "GET", path).headers
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Cache-Control"]
            assert "Server" not in headers

    def test_what_is_not_there_is_said_in_the_shape_of_the_place(self, house: House) -> None:
        assert ask(house, "GET", "/v1/nothing").json["code"] == "not_found"
        assert ask(house, "GET", "/v1/call").status == 405
        assert ask(house, "GET", "/nothing").body == b"There is nothing at this address.\n"
        assert ask(house, "GET", "/web/../actor.py").status == 404
        assert ask(house, "GET", "/web/%2e%2e/actor.py").status == 404
        assert ask(house, "GET", "/web//etc/passwd").status == 404

    def test_our_pages_are_checked_again_each_time(self, house: House) -> None:
        first = ask(house, "GET", "/web/scanbus.js")
        assert (first.status, first.headers["Cache-Control"]) == (200, "no-cache")
        assert first.headers["Content-Type"].startswith("text/javascript")
        assert ask(house, "GET", "/web/scanbus.js", If_None_Match=first.headers["ETag"]).status == 304
        assert ask(house, "GET", "/web/scanbus.js", If_None_Match='"old"').status == 200

    def test_our_pages_are_there(self, house: House) -> None:
        for path in ("/", "/scan"):
            answer = ask(house, "GET", path)
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")

    def test_a_mistake_of_ours_is_told_as_one_and_tells_nothing_else(self, house: House) -> None:
        def broken(*_: object) -> list[str]:
            raise ZeroDivisionError("a secret")

        house.gateway.health = broken
        answer = ask(house, "GET", "/healthz")
        assert (answer.status, answer.body[:25]) == (500, b"Scanbus made a mistake. T")
        house.store.begin = broken
        answer = call(house, {"type": "session.open"})
        assert (answer.status, answer.lines[0]["body"]["code"]) == (500, "internal")
        assert b"secret" not in answer.body


class TestCall:
    def test_some_questions_need_no_session(self, house: House) -> None:
        answer = call(house, {"type": "device.list_devices"})
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
        assert answer.lines == [
            {"kind": "reply", "body": {"type": "device.devices", "devices": [{"device_id": "d", "name": "D"}]}}
        ]
        assert call(house, {"type": "bus.get_status"}).lines[0]["body"]["type"] == "bus.status"

    def test_everything_else_does(self, house: House) -> None:
        for token in ("", "nonsense", "0" * 32 + ".x"):
            answer = call(house, {"type": "buffer.list_pages"}, token)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert answer.lines[0]["body"]["code"] == "denied"

    def test_a_session_is_opened_used_resumed_and_closed(self, house: House) -> None:
        session, token = open_session(house)
        assert call(house, {"type": "buffer.list_pages"}, token).lines[0]["body"]["type"] == "buffer.pages"
        again = call(house, {"type": "session.open", "token": token}).lines[0]["body"]
        assert (again["session_id"], again["resumed"]) == (session, True)
        assert call(house, {"type": "session.close"}, token).lines == [
            {"kind": "reply", "body": {"type": "session.closed"}}
        ]
        assert call(house, {"type": "buffer.list_pages"}, token).status == 401
        assert call(house, {"type": "session.open", "token": token}).lines[0]["body"]["session_id"] != session

    def test_a_session_is_found_again_by_its_own_origin_without_a_token(self, house: House) -> None:
        session, token = open_session(house)
        again = call(house, {"type": "session.open", "session_id": session}).lines[0]["body"]
        assert (again["session_id"], again["token"], again["resumed"]) == (session, token, True)
        own = f"http://127.0.0.1:{house.port}"
        for stranger in ({"Origin": own}, {"Origin": own, "Host": f"127.0.0.1:{house.port}"}):
            answer = call(house, {"type": "session.open", "session_id": session}, **stranger)
            assert (answer.status, answer.lines[0]["body"]["code"]) == (404, "not_found")
        assert call(house, {"type": "session.open", "session_id": "0" * 32}).status == 404
        assert call(house, {"type": "session.open", "session_id": "../x"}).status == 404

    def test_the_sessions_of_an_origin_are_listed_to_it_alone(self, house: House) -> None:
        session, token = open_session(house)
        other, _ = open_session(house)
        house.scanner.scanning.add(other)
        stays = {
            each.pop("session_id"): each
            for each in call(house, {"type": "session.list_stays"}).lines[0]["body"]["stays"]
        }
        assert set(stays) == {session, other}
        assert stays[other]["running"] is True
        assert stays[session]["pages"] == 3
        assert stays[session]["begun_at"] <= stays[session]["used_at"]
        own = f"http://127.0.0.1:{house.port}"
        assert call(house, {"type": "session.list_stays"}, Origin=own).lines[0]["body"]["stays"] == []
        call(house, {"type": "session.close"}, token)
        stays = call(house, {"type": "session.list_stays"}).lines[0]["body"]["stays"]
        assert [each["session_id"] for each in stays] == [other]

    def test_parts_come_as_lines_before_the_reply(self, house: House) -> None:
        house.scanner.second_page.set()
        _, token = open_session(house)
        lines = call(house, {"type": "device.scan", "device_id": "d"}, token).lines
        assert [(line["kind"], line["body"]["type"]) for line in lines] == [
            ("part", "device.started"),
            ("part", "device.progress"),
            ("reply", "device.scanned"),
        ]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (b'{"type": "device.scan", "device_id": "jam"}', 409, "paper_jam"),
            (b'{"type": "device.scan", "device_id": "bug"}', 500, "internal"),
            (b'{"type": "device.scan", "device": "d"}', 400, "invalid"),
            (b'{"type": "cache.end_session"}', 403, "denied"),
            (b'{"type": "pdf.create"}', 404, "not_found"),
            (b"{", 400, "invalid"),
            (b"", 400, "invalid"),
            (b"[" * 9000, 400, "invalid"),
            (b" " * 10_001, 413, "too_large"),
        ],
        ids=lambda value: repr(value)[:50],
    )
    def test_a_failure_has_its_own_status(self, house: House, body: bytes, status: int, code: str) -> None:
        _, token = open_session(house)
        answer = ask(house, "POST", "/v1/call", body, Authorization=f"Bearer {token}", **JSON)
        assert (answer.status, [line["body"]["code"] for line in answer.lines]) == (status, [code])

    def test_a_scan_goes_on_when_the_asker_hangs_up_and_following_it_does_not(self, house: House) -> None:
        _, token = open_session(house)
        for kind, name in (("device.follow", "job_id"), ("device.scan", "device_id")):
            body = json.dumps({"type": kind, name: "d"}).encode()
            connection = HTTPConnection("127.0.0.1", house.port, timeout=TIMEOUT_S)
            connection.request("POST", "/v1/call", body, JSON | {"Authorization": f"Bearer {token}"})
            assert json.loads(connection.getresponse().readline())["body"]["type"] == "device.started"
            connection.close()
            if kind == "device.follow":
                assert house.scanner.canceled.wait(TIMEOUT_S)
                house.scanner.canceled.clear()
                house.scanner.second_page.clear()
        house.scanner.second_page.set()
        assert house.scanner.finished.wait(TIMEOUT_S)
        assert not house.scanner.canceled.is_set()


class TestSocket:
    def test_a_session_is_opened_and_resumed(self, house: House) -> None:
        with browser(house) as socket:
            assert socket.subprotocol == "scanbus.v1"
            opened = begin(socket)
        with browser(house) as socket:
            again = begin(socket, opened["token"])
        assert again == opened | {"resumed": True}

    def test_without_the_sub_protocol_there_is_no_connection(self, house: House) -> None:
        with pytest.raises(InvalidStatus) as refused, browser(house, subprotocols=None):
            pass
        assert refused.value.response.status_code == 400

    def test_a_first_frame_that_opens_nothing_ends_it(self, house: House) -> None:
        with browser(house) as socket:
            say(socket, "1", type="buffer.list_pages")
            assert hear(socket)["body"]["code"] == "invalid"
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(TIMEOUT_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008

    def test_parts_and_replies_come_in_order_and_a_jam_is_told(self, house: House) -> None:
        house.scanner.second_page.set()
        with browser(house) as socket:
            begin(socket)
            say(socket, "1", type="device.scan", device_id="d")
            assert [letter["body"]["type"] for letter in until_reply(socket, "1")] == [
                "device.started",
                "device.progress",
                "device.scanned",
            ]
            say(socket, "1", type="device.scan", device_id="jam")
            assert until_reply(socket, "1")[-1]["body"]["code"] == "paper_jam"

    def test_a_cancel_reaches_the_service_and_is_answered(self, house: House) -> None:
        with browser(house) as socket:
            begin(socket)
            say(socket, "1", type="device.scan", device_id="d")
            assert hear(socket)["body"]["type"] == "device.started"
            socket.send('{"kind": "cancel", "re": "1"}')
            assert until_reply(socket, "1")[-1]["body"]["code"] == "canceled"
            assert house.scanner.canceled.wait(TIMEOUT_S)

    def test_a_cancel_in_the_same_breath_is_answered_once(self, house: House) -> None:
        with browser(house) as socket:
            begin(socket)
            for _ in range(20):
                say(socket, "1", type="device.scan", device_id="d")
                socket.send('{"kind": "cancel", "re": "1"}')
                until_reply(socket, "1")
            say(socket, "2", type="device.list_devices")
            assert [letter["re"] for letter in until_reply(socket, "2")] == ["2"]

    def test_a_scan_goes_on_when_the_page_is_gone_and_following_it_does_not(self, house: House) -> None:
        with browser(house) as socket:
            begin(socket)
            say(socket, "1", type="device.follow", job_id="d")
            hear(socket)
        assert house.scanner.canceled.wait(TIMEOUT_S)
        house.scanner.canceled.clear()
        house.scanner.second_page.clear()
        with browser(house) as socket:
            begin(socket)
            say(socket, "1", type="device.scan", device_id="d")
            hear(socket)
        house.scanner.second_page.set()
        assert house.scanner.finished.wait(TIMEOUT_S)
        assert not house.scanner.canceled.is_set()

    def test_events_reach_their_session_only(self, house: House) -> None:
        with browser(house) as mine, browser(house) as second, browser(house) as other:
            token = begin(mine)["token"]
            begin(second, token)
            begin(other)
            say(mine, "1", type="buffer.list_pages")
            assert hear(second) == {
                "kind": "event",
                "body": {"type": "buffer.changed", "change": {"document_id": "d", "revision": 1}},
            }
            say(other, "1", type="device.list_devices")
            assert [letter["kind"] for letter in until_reply(other, "1")] == ["reply"]

    def test_a_session_is_connected_until_its_last_browser_has_gone(self, house: House) -> None:
        def connected() -> list[bool]:
            stays = call(house, {"type": "session.list_stays"}).lines[0]["body"]["stays"]
            return [each.get("connected", False) for each in stays]

        with browser(house) as mine:
            token = begin(mine)["token"]
            with browser(house) as second:
                begin(second, token)
                assert connected() == [True]
            assert connected() == [True]
        until(lambda: connected() == [False])

    def test_a_session_counts_as_used_until_its_last_browser_has_gone(self, house: House) -> None:
        def used_at() -> float:
            stays = call(house, {"type": "session.list_stays"}).lines[0]["body"]["stays"]
            return float(stays[0]["used_at"])

        with browser(house) as mine:
            begin(mine)
            before = used_at()
        until(lambda: used_at() > before)

    def test_closing_the_session_ends_all_its_connections(self, house: House) -> None:
        with browser(house) as mine, browser(house) as second:
            opened = begin(mine)
            begin(second, opened["token"])
            say(mine, "1", type="session.close")
            assert until_reply(mine, "1")[-1]["body"]["type"] == "session.closed"
            for socket in (mine, second):
                with pytest.raises(ConnectionClosed) as closed:
                    socket.recv(TIMEOUT_S)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1000
            assert not house.store.has(opened["session_id"])

    def test_a_long_frame_is_refused_and_a_far_too_long_one_ends_it(self, house: House) -> None:
        with browser(house) as socket:
            begin(socket)
            socket.send("x" * 15_000)
            assert hear(socket)["body"]["code"] == "too_large"
            socket.send("x" * 30_000)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(TIMEOUT_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009

    def test_a_browser_that_never_reads_is_cut_off_and_others_are_served(self, house: House) -> None:
        with socket.create_connection(("127.0.0.1", house.port), TIMEOUT_S) as silent:
            silent.sendall(HANDSHAKE.replace("PORT", str(house.port)).encode())
            assert b" 101 " in read_until(silent, b"\r\n\r\n")
            silent.sendall(masked('{"kind":"request","id":"1","body":{"type":"session.open"}}'))
            assert b"session.opened" in read_until(silent, b"session.opened")
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                for number in range(1_000_000):
                    body = '{"type":"device.describe","device_id":"x"}'
                    silent.sendall(masked(f'{{"kind":"request","id":"{number}","body":{body}}}'))
        assert ask(house, "GET", "/healthz").status == 200


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    received = b""
    while wanted not in received and (data := connection.recv(65536)):
        received += data
    return received


HANDSHAKE = (
    "GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: scanbus.v1\r\n\r\n"
)


def masked(text: str) -> bytes:
    data = text.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + bytes(4) + data


class TestFiles:
    def test_a_picture_is_rendered_once_and_never_kept_by_the_browser(self, house: House) -> None:
        session, _ = open_session(house)
        path = f"/v1/sessions/{session}/pages/p/image"
        first = ask(house, "GET", f"{path}?width_px=200")
        assert (first.status, first.body, first.headers["Content-Type"]) == (200, b"p 90 200", "image/jpeg")
        assert first.headers["Cache-Control"] == "private, no-store"
        assert ask(house, "GET", f"{path}?width_px=200", If_None_Match=first.headers["ETag"]).status == 304
        assert ask(house, "HEAD", f"{path}?width_px=200").status == 200
        assert house.renderer.rendered == 1
        png = ask(house, "GET", f"{path}?type=image/png")
        assert (png.body, png.headers["Content-Type"]) == (b"p 90 0", "image/png")

    def test_what_cannot_be_a_picture_is_refused(self, house: House) -> None:
        session, token = open_session(house)
        path = f"/v1/sessions/{session}/pages/p/image"
        for query in ("width_px=-1", "width_px=20001", "width_px=x", "width_px=%D9%A1", "type=text/html"):
            assert ask(house, "GET", f"{path}?{query}").status == 400
        for unknown in (f"/v1/sessions/{session}/pages/q/image", f"/v1/sessions/{'0' * 32}/pages/p/image"):
            assert ask(house, "GET", unknown).json["code"] == "not_found"
        call(house, {"type": "session.close"}, token)
        assert ask(house, "GET", path).status == 404

    def test_a_document_is_saved_under_the_name_that_was_asked_for(self, house: House) -> None:
        session, _ = open_session(house)
        content = bytes(range(256)) * 4096
        blob = house.store.put(session, content, "application/pdf")
        path = f"/v1/sessions/{session}/documents/{blob.name}"
        answer = ask(house, "GET", f"{path}?filename=Rechnung%20%E2%82%AC.pdf")
        assert (answer.status, answer.body) == (200, content)
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.headers["Content-Length"] == str(len(content))
        assert answer.headers["Content-Disposition"] == (
            "attachment; filename=\"Rechnung _.pdf\"; filename*=UTF-8''Rechnung%20%E2%82%AC.pdf"
        )
        assert 'filename="scan.pdf"' in ask(house, "HEAD", path).headers["Content-Disposition"]

    def test_a_document_that_was_saved_before_is_not_sent_again(self, house: House) -> None:
        session, _ = open_session(house)
        path = f"/v1/sessions/{session}/documents/{house.store.put(session, b'%PDF', 'application/pdf').name}"
        etag = ask(house, "GET", path).headers["ETag"]
        assert ask(house, "GET", path, If_None_Match=etag).status == 304
        assert ask(house, "GET", path, If_None_Match=f'"x", W/{etag}').status == 304

    def test_a_document_whose_length_nobody_knows_comes_whole(self, house: House) -> None:
        session, _ = open_session(house)
        content = b"line\n" * 200_000
        answer = ask(
            house, "GET", f"/v1/sessions/{session}/documents/{house.store.put(session, content, 'text/plain').name}"
        )
        assert answer.body == content
        assert "Content-Length" not in answer.headers

    def test_a_document_of_another_session_is_not_there(self, house: House) -> None:
        session, _ = open_session(house)
        other, _ = open_session(house)
        blob = house.store.put(session, b"%PDF", "application/pdf")
        for path in (f"{other}/documents/{blob.name}", f"{session}/documents/{'0' * 32}", f"{session}/documents/..%2f"):
            assert ask(house, "GET", f"/v1/sessions/{path}").status == 404

    def test_a_hostile_file_name_is_only_a_name(self, house: House) -> None:
        session, _ = open_session(house)
        path = f"/v1/sessions/{session}/documents/{house.store.put(session, b'%PDF', 'application/pdf').name}"
        header = ask(house, "GET", f"{path}?filename=..%2F..%5Ca%22%0D%0AX%3A+1%E2%80%AEfdp.exe").headers
        assert "X" not in header
        assert 'filename="_.._a___X_ 1_fdp.exe"' in header["Content-Disposition"]


class TestLimits:
    def test_one_connection_more_is_refused_in_words(self, tmp_path: Path) -> None:
        with living(tmp_path, GatewayConfig(connections=2)) as house, browser(house) as first, browser(house):
            with pytest.raises(InvalidStatus) as refused, browser(house):
                pass
            assert refused.value.response.status_code == 503
            assert b"gateway.connections" in refused.value.response.body
            first.close()
            until(lambda: connects(house))

    def test_one_session_more_is_refused_until_one_is_ended(self, tmp_path: Path) -> None:
        with living(tmp_path, GatewayConfig(sessions_per_origin=2)) as house:
            _, token = open_session(house)
            open_session(house)
            answer = call(house, {"type": "session.open"})
            assert (answer.status, answer.lines[0]["body"]["code"]) == (503, "busy")
            assert "gateway.sessions_per_origin" in answer.lines[0]["body"]["text"]
            own = f"http://127.0.0.1:{house.port}"
            assert call(house, {"type": "session.open"}, Origin=own).status == 200
            assert call(house, {"type": "session.open", "token": token}).status == 200
            call(house, {"type": "session.close"}, token)
            assert call(house, {"type": "session.open"}).status == 200


def connects(house: House) -> bool:
    try:
        with browser(house):
            return True
    except InvalidStatus:
        return False


class TestStopping:
    def test_open_responses_are_finished_and_sockets_are_told_to_come_back(self, tmp_path: Path) -> None:
        with living(tmp_path, GatewayConfig()) as house:
            _, token = open_session(house)
            body = b'{"type": "device.scan", "device_id": "d"}'
            connection = HTTPConnection("127.0.0.1", house.port, timeout=TIMEOUT_S)
            connection.request("POST", "/v1/call", body, JSON | {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            assert b"device.started" in response.readline()
            with browser(house) as socket:
                begin(socket)
                house.begin_stop()
                with pytest.raises(ConnectionClosed) as closed:
                    socket.recv(TIMEOUT_S)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012
            assert select([connection.sock], [], [], 0.3)[0] == [], "nothing is said, and nothing is cut off"
            house.scanner.second_page.set()
            assert [json.loads(line)["kind"] for line in response.read().splitlines()] == ["part", "reply"]
            connection.close()
            with pytest.raises(ConnectionRefusedError):
                ask(house, "GET", "/healthz")
