"""What one version kept, every later one opens.

Each folder `version_N` beside this file is what a release wrote: `python -m tests.unit.actors.kept.test_versions
FOLDER` makes the next one. None of them is ever changed.
"""

import asyncio
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from actors.kept.copies import FORMAT
from actors.kept.document import Document, Manifest
from bus import Context
from schemas import buffer
from schemas.config import Config
from schemas.errors import Unsupported, WrongPassword
from schemas.kept import Create, GetMetadata, ListKept, Load, Noted, Save
from schemas.page import Color
from tests.house import House, house, in_house, virtual_config
from tests.paper import pnm, stack
from tests.unit.actors.kept.test_keeper import listed, visit

EVER = sorted(Path(__file__).parent.glob("version_*"))
PASSWORD = "caf\u00e9"
METADATA = {"customer": "A-17", "notes": '{"paid": true}'}
TAGS = ["invoice", "\u00fcbrig"]


@pytest.fixture(params=EVER, ids=lambda path: path.name)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    """A state folder in which nothing is left but what an older version kept."""
    config = virtual_config(tmp_path)
    shutil.copytree(request.param, config.state_folder)
    return config


async def seen(ctx: Context) -> list[tuple[bytes, int, list[str]]]:
    """What there is in the session, page by page."""
    return [(await ctx.read(page.image.blob), page.rotation_degrees, page.tags) for page in await listed(ctx)]


@in_house
async def test_what_an_older_version_kept_opens_and_grows(here: House) -> None:
    ctx = await visit(here)
    found = (await ctx.call(ListKept())).documents
    assert [(document.name, document.protected) for document in found] == [("letters", False), ("taxes", True)]
    with pytest.raises(WrongPassword):
        await ctx.call(Load(name="taxes", password="cafe"))
    noted = await ctx.call(GetMetadata(name="taxes", password=PASSWORD))
    assert noted == Noted(metadata={}, pages=1)
    assert (await ctx.call(Load(name="letters"))).metadata == METADATA
    await ctx.call(Load(name="taxes", password=PASSWORD))
    blank = pnm(Color.GRAY, 4, 6, bytes(24))
    assert await seen(ctx) == [(blank, 0, []), (pnm(Color.GRAY, 4, 6, bytes([1]) * 24), 90, TAGS), (blank, 0, [])]
    assert (await ctx.call(Save(name="letters"))).pages == 5


def test_this_version_is_among_them() -> None:
    assert EVER[-1].name == f"version_{FORMAT}"


def write(folder: Path, **manifest: object) -> Document:
    """A document whose manifest is as somebody else wrote it."""
    document = Document(folder, bytes(32))
    sealed = document.vault.seal(msgspec.msgpack.encode(manifest), "manifest")
    for name in ("manifest", "manifest.copy"):
        (folder / name).write_bytes(sealed)
    return document


def test_a_manifest_may_have_less_or_more_than_we_know(tmp_path: Path) -> None:
    assert write(tmp_path, revision=7, mood="fine").read() == Manifest(revision=7)


def test_a_document_of_a_newer_version_says_so_and_is_left_alone(tmp_path: Path) -> None:
    document = write(tmp_path, format=FORMAT + 1, pages="in a way that nobody knows yet")
    page = tmp_path / ("0" * 32)
    page.write_bytes(b"a page")
    for use in (document.read, document.tidy):
        with pytest.raises(Unsupported, match="newer Scanbus"):
            use()
    assert page.exists()


async def make(folder: Path) -> None:
    """Keep what the test above finds, without anything else that the service writes."""
    async with house(virtual_config(folder)) as here:
        ctx = await visit(here)
        first, second = await stack(ctx, 2)
        await ctx.call(buffer.Rotate(page_ids=[second.page_id], degrees=90))
        await ctx.call(buffer.Tag(page_ids=[second.page_id], add=TAGS))
        await ctx.call(Create(name="letters", metadata=METADATA))
        await ctx.call(Save(name="letters"))
        await ctx.call(Create(name="taxes", password=PASSWORD))
        await ctx.call(Save(name="taxes", password=PASSWORD, page_ids=[first.page_id]))
    for path in (folder / "state").iterdir():
        if path.name.startswith(("kept", "storage.key")):
            path.rename(folder / path.name)
    for rest in ("state", "run"):
        shutil.rmtree(folder / rest, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))
