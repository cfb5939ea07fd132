"""Nothing that was on a page, or was written about it, can be found on the disk; nothing can be read after the end."""

import io
import json
import random
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard
from PIL import Image

from bus.blobs import Vault
from scanbus.client import Client
from schemas.errors import Damaged
from tests.system.conftest import Service, until

CANARY = b"The quick brown canary 93741 jumps over the lazy disk. "
TEXTS = {kind: f"canary-{kind}-93741" for kind in ("document", "tag", "title", "kept", "password", "metadata")}
WIDTH_PX, HEIGHT_PX = 300, 440
NEEDLE_BYTES = 16
Make = Callable[..., Service]


def pixels() -> bytes:
    """A page full of the canary, with enough chance in between that its compressed forms have no other reason."""
    chance = random.Random(93741)
    size, content = WIDTH_PX * HEIGHT_PX, bytearray()
    while len(content) < size:
        content += CANARY * 3 + chance.randbytes(100)
    return bytes(content[:size])


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    folder = tmp_path / "paper"
    folder.mkdir()
    picture = Image.frombytes("L", (WIDTH_PX, HEIGHT_PX), pixels())
    picture.save(folder / "1.png", dpi=(75, 75))
    return folder


@pytest.fixture
def scanned(make_service: Make, paper: Path) -> Iterator[tuple[Service, Client]]:
    service = make_service(SCANBUS_DEVICE__VIRTUAL=json.dumps([{"name": "canary", "folder": str(paper)}]))
    service.start()
    with service.client() as client:
        yield service, client


def scan(client: Client) -> dict[str, Any]:
    (page,) = client.scan("virtual:canary", source="feeder", color="gray", resolution_dpi=75)
    return page


def picture_of(client: Client, page: dict[str, Any], query: str) -> bytes:
    path = f"/v1/sessions/{client.session_id}/pages/{page['page_id']}/image?{query}"
    with client._ask("GET", path, None, 20.0) as response:
        assert response.status == 200, response.read()
        return response.read()


def starts(raw: bytes, pictures: list[bytes], pdfs: list[bytes]) -> dict[str, bytes]:
    """What would be found of the page if something kept it in the clear: the beginning of each form of it."""
    needles = {"raw": CANARY, "mirrored": raw[-NEEDLE_BYTES:]}
    for level in (1, 6, 9):
        needles[f"zlib {level}"] = zlib.compress(raw, level)[2:][:NEEDLE_BYTES]
    for level in (1, 3):
        whole = zstandard.ZstdCompressor(level=level).compress(raw)
        needles[f"zstd {level}"] = whole[20:][:NEEDLE_BYTES]
    for number, picture in enumerate(pictures):
        mark = b"\xff\xda" if picture.startswith(b"\xff\xd8") else b"IDAT"
        # After the head of the scan: what comes before is the same in every picture.
        needles[f"picture {number}"] = picture[picture.index(mark) + 16 :][:NEEDLE_BYTES]
    for number, pdf in enumerate(pdfs):
        largest = max(re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL), key=len)
        at = largest.index(b"\xff\xda") + 16 if b"\xff\xda" in largest[:2000] else 2
        needles[f"pdf {number}"] = largest[at:][:NEEDLE_BYTES]
    return needles


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    files = {}
    for path in folder.rglob("*"):
        # One that was deleted since is no longer there.
        with suppress(FileNotFoundError):
            if path.is_file():
                files[str(path.relative_to(folder))] = path.read_bytes()
    return files


def found(folder: Path, needles: dict[str, bytes]) -> list[str]:
    """Which needle is in which file."""
    files = contents(folder)
    return [
        f"{what} in {path}" for path, content in files.items() for what, needle in needles.items() if needle in content
    ]


def test_no_file_holds_a_page_or_what_is_written_about_it(scanned: tuple[Service, Client], tmp_path: Path) -> None:
    service, client = scanned
    document = client.create_document(TEXTS["document"])
    client.call("buffer.set_default_tag", tag=TEXTS["tag"])
    page = scan(client)
    raw = b"P5\n%d %d\n255\n" % (WIDTH_PX, HEIGHT_PX) + pixels()
    assert picture_of(client, page, "type=image/png")
    shown = Image.open(io.BytesIO(picture_of(client, page, "type=image/png")))
    assert shown.tobytes() == pixels(), "the page is not the canary, so nothing could be found of it"
    client.call("buffer.rotate", page_ids=[page["page_id"]], degrees=90)
    client.copy([page["page_id"]], 0, document["document_id"])
    pictures = [picture_of(client, page, query) for query in ("type=image/png", "type=image/jpeg", "width_px=100")]
    for number, options in enumerate(({}, {"compression": "lossless"})):
        client.pdf(tmp_path / f"{number}.pdf", title=TEXTS["title"], **options)
    pdfs = [(tmp_path / f"{number}.pdf").read_bytes() for number in (0, 1)]
    kept = {"name": TEXTS["kept"], "password": TEXTS["password"]}
    client.call("kept.create", **kept, metadata={"note": TEXTS["metadata"]})
    client.call("kept.save", **kept)
    client.call("kept.create", name=f"{TEXTS['kept']} without", metadata={"note": TEXTS["metadata"]})
    client.call("kept.save", name=f"{TEXTS['kept']} without")
    assert service.run("trace", "last", "saved.jsonl").returncode == 0
    needles = {**starts(raw, pictures, pdfs), **{kind: text.encode() for kind, text in TEXTS.items()}}
    for path in tmp_path.glob("*.pdf"):
        assert any(needle in path.read_bytes() for needle in needles.values()), "nothing of the page is known"
        path.unlink()
    assert found(service.folder, needles) == []
    service.kill("main")
    until(lambda: service.client().health()[0], "main is back")
    assert found(service.folder, needles) == []
    for other in ("image", "pdf"):
        if other in service.processes():
            service.kill(other)
    assert client.pages()
    assert found(service.folder, needles) == []


def test_after_a_session_ended_no_key_that_is_left_opens_what_it_kept(scanned: tuple[Service, Client]) -> None:
    service, client = scanned
    state = service.folder / "state"
    page = scan(client)
    client.call("buffer.rotate", page_ids=[page["page_id"]], degrees=90)
    session, name = client.session_id, page["image"]["blob"]["name"]
    key = (state / "session-keys" / session).read_bytes()[:32]
    before = service.folder.parent / "before"
    shutil.copytree(state / "pages" / session, before)
    assert Vault(before, key).read(name).endswith(pixels()), "with its key it opens"
    with service.client() as other:
        scan(other)
        client.close()
        left = contents(service.folder)
        assert not [path for path in left if session in path]
        assert not [path for path, content in left.items() if key in content]
        keys = {
            content[at : at + 32] for content in left.values() for at in ({0, len(content) - 32} if content else ())
        }
        assert len(keys) > 1
        for each in keys:
            with pytest.raises(Damaged):
                Vault(before, each).open(name)


def test_volatile_keys_are_never_on_disk_and_gone_after_a_stop(make_service: Make, paper: Path) -> None:
    service = make_service(
        SCANBUS_DEVICE__VIRTUAL=json.dumps([{"name": "canary", "folder": str(paper)}]), SCANBUS_CACHE__VOLATILE="true"
    )
    service.start()
    client = service.client()
    page = scan(client)
    memory = Path("/dev/shm")
    (key_file,) = memory.glob(f"scanbus-*/{client.session_id}")
    key = key_file.read_bytes()[:32]
    before = service.folder.parent / "before"
    shutil.copytree(service.folder / "state" / "pages" / client.session_id, before)
    assert Vault(before, key).read(page["image"]["blob"]["name"]).endswith(pixels())
    assert not [path for path, content in contents(service.folder).items() if key in content]
    service.kill("main")
    until(lambda: service.client().health()[0], "main is back")
    assert len(client.pages()) == 1
    assert service.stop() == 0
    assert not key_file.parent.exists()
    assert not [path for path, content in contents(service.folder).items() if key in content]
