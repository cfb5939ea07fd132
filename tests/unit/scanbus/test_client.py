import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scanbus.client import NOT_RUNNING, Client, ScannerError

OPENED = {"type": "session.opened", "session_id": "s", "token": "secret", "version": "1"}
CREATED = {"type": "pdf.created", "document": {"name": "d", "size": 8, "media_type": "application/pdf"}, "pages": 2}
FEEDER_EMPTY = {"type": "bus.failure", "code": "feeder_empty", "text": "The feeder is empty."}
JOB = {"job_id": "j", "device_id": "x", "state": "running"}


def line(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"kind": kind, "body": body}).encode() + b"\n"


class Script(BaseHTTPRequestHandler):
    """A service that gives the answers of a test, and notes what was asked."""

    server: "Stage"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.headers.get("Authorization", ""), message))
        if script := self.server.scripts.get(message["type"]):
            self._answer(200, line("reply", script.pop(0)))
            return
        self._answer(200, self.server.answers.get(message["type"], line("reply", {"type": "cache.ended"})))

    def do_GET(self) -> None:
        self._answer(*self.server.file)

    def log_message(self, format: str, *words: object) -> None:
        """Tests say what is wrong themselves."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)


class Stage(ThreadingHTTPServer):
    """Where a test's script is played."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Script)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.scripts: dict[str, list[dict[str, Any]]] = {}
        """Replies that are given one after another."""
        self.file = 200, b"%PDF-1.7"
        self.answers: dict[str, bytes] = {"session.open": line("reply", OPENED), "pdf.create": line("reply", CREATED)}

    def told(self) -> list[str]:
        return [message["type"] for _, message in self.asked]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        playing = threading.Thread(target=stage.serve_forever, args=(0.01,))
        playing.start()
        yield stage
        stage.shutdown()
        playing.join()


@pytest.fixture
def client(stage: Stage) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{stage.server_port}") as client:
        yield client


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ScannerError) as failed:
        call()
    assert failed.value.text
    return failed.value.code


def test_a_session_is_opened_once_and_its_token_goes_with_every_call(stage: Stage, client: Client) -> None:
    stage.answers["buffer.list_pages"] = line("reply", {"type": "buffer.pages", "pages": []})
    assert client.pages() == client.pages() == []
    assert stage.told() == ["session.open", "buffer.list_pages", "buffer.list_pages"]
    assert stage.asked[-1][0] == "Bearer secret"


def test_pages_that_come_in_parts_are_asked_for_until_all_are_there(stage: Stage, client: Client) -> None:
    def part(start: int, revision: int) -> dict[str, Any]:
        pages = [{"page_id": str(start)}, {"page_id": str(start + 1)}][: 5 - start]
        return {"type": "buffer.pages", "pages": pages, "total": 5, "start": start, "revision": revision}

    stage.scripts["buffer.list_pages"] = [part(0, 1), part(2, 2), part(4, 2), part(0, 2), part(2, 2), part(4, 2)]
    assert [page["page_id"] for page in client.pages("d", tag="tax")] == ["0", "1", "2", "3", "4"]
    asked = [message for _, message in stage.asked if message["type"] == "buffer.list_pages"]
    assert [message["start"] for message in asked] == [0, 2, 4, 0, 2, 4], "they changed between the first two parts"
    assert {(message["document_id"], message["tag"]) for message in asked} == {("d", "tax")}
    stage.scripts["buffer.list_pages"] = [part(number % 2 * 2, number) for number in range(100)]
    assert code_of(client.pages) == "conflict"


def test_documents_are_made_and_pages_moved_copied_and_tagged(stage: Stage, client: Client) -> None:
    document = {"document_id": "d", "name": "Taxes"}
    stage.answers["buffer.create_document"] = line("reply", {"type": "buffer.document_created", "document": document})
    stage.answers["buffer.list_documents"] = line("reply", {"type": "buffer.documents", "documents": [document]})
    stage.answers["buffer.copy"] = line("reply", {"type": "buffer.copied", "page_ids": ["new"]})
    assert client.create_document("Taxes") == document
    assert client.documents() == [document]
    assert client.copy(["p"], 0, "d") == ["new"]
    client.move(["p", "q"], 3)
    client.tag(["p"], add=["tax"])
    where = {"page_ids": ["p"], "position": 0, "document_id": "d"}
    assert [message for _, message in stage.asked[1:]] == [
        {"type": "buffer.create_document", "name": "Taxes"},
        {"type": "buffer.list_documents"},
        {"type": "buffer.copy", **where},
        {"type": "buffer.move", "page_ids": ["p", "q"], "position": 3, "document_id": ""},
        {"type": "buffer.tag", "page_ids": ["p"], "add": ["tax"], "remove": []},
    ]


def test_a_scan_goes_into_a_document(stage: Stage, client: Client) -> None:
    stage.answers["device.scan"] = line("reply", {"type": "device.scanned", "job": JOB})
    assert list(client.scan("x", document_id="d", resolution_dpi=300)) == []
    settings = {"resolution_dpi": 300}
    asked = {"type": "device.scan", "device_id": "x", "settings": settings, "document_id": "d"}
    assert stage.asked[-1][1] == asked


def test_leaving_the_session_destroys_it(stage: Stage) -> None:
    with Client(f"http://127.0.0.1:{stage.server_port}") as client:
        client.call("buffer.list_pages")
    assert stage.told()[-1] == "session.close"
    assert client.token == ""


def test_a_client_that_asked_nothing_has_nothing_to_close(stage: Stage) -> None:
    with Client(f"http://127.0.0.1:{stage.server_port}"):
        pass
    assert stage.told() == []


def test_pages_come_one_by_one_with_their_progress(stage: Stage, client: Client) -> None:
    stage.answers["device.scan"] = (
        line("part", {"type": "device.started", "job": JOB})
        + line("part", {"type": "device.progress", "number": 1, "fraction": 0.5})
        + line("part", {"type": "device.scanned_page", "number": 1, "page": {"page_id": "p"}})
        + line("reply", {"type": "device.scanned", "job": JOB})
    )
    heard: list[tuple[int, float]] = []
    pages = client.scan("x", progress=lambda number, fraction: heard.append((number, fraction)), resolution_dpi=300)
    assert [page["page_id"] for page in pages] == ["p"]
    assert heard == [(1, 0.5)]
    assert stage.asked[-1][1]["settings"] == {"resolution_dpi": 300}


def test_leaving_the_loop_early_stops_the_device(stage: Stage, client: Client) -> None:
    page = line("part", {"type": "device.scanned_page", "number": 1, "page": {"page_id": "p"}})
    stage.answers["device.scan"] = line("part", {"type": "device.started", "job": JOB}) + page + page
    scan = client.scan("x")
    next(scan)
    scan.close()  # type: ignore[attr-defined]
    assert stage.asked[-1][1] == {"type": "device.stop", "job_id": "j"}


@pytest.mark.parametrize(
    ("code", "go_on", "asked"),
    [
        ("paper_jam", True, ["device.scan", "device.resume"]),
        ("paper_jam", False, ["device.scan", "device.stop"]),
        ("storage_full", True, ["device.scan"]),
    ],
)
def test_a_scan_that_waits_goes_on_or_ends_as_it_is_told(
    stage: Stage, client: Client, code: str, go_on: bool, asked: list[str]
) -> None:
    waiting = JOB | {"paused": {"code": code, "text": "Clear the jam."}, "gap": 2}
    stage.answers["device.scan"] = (
        line("part", {"type": "device.started", "job": JOB})
        + line("part", {"type": "device.paused", "job": waiting})
        + line("reply", {"type": "device.scanned", "job": JOB})
    )
    told: list[dict[str, Any]] = []

    def paused(job: dict[str, Any]) -> bool:
        told.append(job)
        return go_on

    assert list(client.scan("x", paused=paused)) == []
    assert told == [waiting]
    assert stage.told()[1:] == asked
    assert stage.asked[1][1]["pause_s"] > 0


def test_a_scan_does_not_wait_for_those_who_cannot_be_asked(stage: Stage, client: Client) -> None:
    stage.answers["device.scan"] = line("reply", {"type": "device.scanned", "job": JOB})
    assert list(client.scan("x")) == []
    assert "pause_s" not in stage.asked[-1][1]


def test_the_sessions_that_there_are_need_none_of_their_own(stage: Stage, client: Client) -> None:
    stays = [{"session_id": "s", "begun_at": 1.0, "used_at": 2.0}]
    stage.answers["session.list_stays"] = line("reply", {"type": "session.stays", "stays": stays})
    assert client.stays() == stays
    assert stage.told() == ["session.list_stays"]


def test_a_session_that_was_left_is_asked_for_by_its_id(stage: Stage) -> None:
    Client(f"http://127.0.0.1:{stage.server_port}", session_id="left").call("buffer.list_pages")
    assert stage.asked[0][1]["session_id"] == "left"


def test_a_failure_has_its_code_and_its_text(stage: Stage, client: Client) -> None:
    stage.answers["device.scan"] = line("part", {"type": "device.started", "job": JOB}) + line("reply", FEEDER_EMPTY)
    assert code_of(lambda: list(client.scan("x"))) == "feeder_empty"
    assert stage.told()[-1] == "device.scan"


def test_an_answer_that_breaks_off_is_not_taken_for_an_end(stage: Stage, client: Client) -> None:
    stage.answers["device.scan"] = line("part", {"type": "device.started", "job": JOB})
    assert code_of(lambda: list(client.scan("x"))) == "lost"


def test_nobody_at_the_address_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert code_of(Client(f"http://127.0.0.1:{port}").health) == NOT_RUNNING


def test_silence_ends_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.05)
        assert code_of(client.health) == "deadline"


def test_another_program_at_the_address_is_not_believed(stage: Stage, client: Client) -> None:
    stage.answers["session.open"] = b"<html>Hello</html>\n"
    assert code_of(client.devices) == "internal"


def test_the_pdf_is_written_whole(client: Client, tmp_path: Path) -> None:
    assert client.pdf(tmp_path / "a.pdf") == 2
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF-1.7"
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


def test_a_file_that_exists_is_replaced_only_when_asked(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "a.pdf"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        client.pdf(target)
    assert target.read_text() == "mine"
    client.pdf(target, overwrite=True)
    assert target.read_bytes() == b"%PDF-1.7"


@pytest.mark.parametrize(
    ("file", "code"),
    [((200, b"%PDF"), "lost"), ((404, json.dumps({"code": "not_found", "text": "Gone."}).encode()), "not_found")],
)
def test_a_download_that_fails_leaves_nothing_and_harms_nothing(
    stage: Stage, client: Client, tmp_path: Path, file: tuple[int, bytes], code: str
) -> None:
    stage.file = file
    kept = tmp_path / "kept.pdf"
    kept.write_text("mine")
    assert code_of(lambda: client.pdf(tmp_path / "a.pdf")) == code
    assert code_of(lambda: client.pdf(kept, overwrite=True)) == code
    assert [path.name for path in tmp_path.iterdir()] == ["kept.pdf"]
    assert kept.read_text() == "mine"
