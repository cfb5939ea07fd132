"""Whenever the power is cut, a document is as it was before a change or as it is after it, and nothing is left over."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.kept.archive import Archive
from actors.kept.document import Document
from schemas.kept import Create, Remove, RemovePages, Save, SetMetadata
from schemas.message import Request
from tests.house import House, in_house
from tests.paper import stack
from tests.unit.actors.kept.test_keeper import HERE, visit

CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
"""What Python tells of before it does it; a file is written in between."""
Seen = tuple[dict[str, str], list[tuple[str, bytes]]] | None
"""A document's metadata and its pages; None where there is no document."""


class Camera:
    """Copies all kept documents before each storage call that could change them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = Path()
        self.pictures: list[Path] = []
        sys.addaudithook(self._hear)

    def watch(self, state: Path) -> None:
        self._state = state

    def rest(self) -> None:
        """A hook is for life."""
        self._state = Path()

    def take(self) -> Path:
        """One more picture."""
        picture = self._folder / str(len(self.pictures))
        state, self._state = self._state, Path()
        picture.mkdir(parents=True)
        for path in state.glob("storage.key*"):
            shutil.copy(path, picture)
        if (state / "kept").exists():
            shutil.copytree(state / "kept", picture / "kept")
        self.pictures.append(picture)
        self._state = state
        return picture

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self._state.name and event in CHANGES and str(args[0]).startswith(f"{self._state}/kept/"):
            self.take()


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Camera]:
    camera = Camera(tmp_path / "pictures")
    yield camera
    camera.rest()


def opened(state: Path) -> Document | None:
    """The document "x", where it is."""
    archive = Archive(state)
    archive.sweep()
    folder = archive.folder(HERE, "x")
    lock = archive.lock(folder)
    return None if lock is None else archive.document(folder, lock.key)


def seen(state: Path) -> Seen:
    """The document "x" with all its pages, as the next start of the service finds it."""
    document = opened(state)
    if document is None:
        return None
    manifest = document.read()
    # What the next change does: from then on no file is there that nobody needs.
    document.write(manifest)
    document.tidy()
    names = {page.image.blob.name for page in manifest.pages}
    assert document.vault.names().keys() == names | {"lock", "lock.copy", "manifest", "manifest.copy"}
    assert len([*(state / "kept").iterdir()]) == 1
    return manifest.metadata, [(page.page_id, document.vault.read(page.image.blob.name)) for page in manifest.pages]


@in_house
async def test_every_crash_leaves_the_old_or_the_new_whole_and_nothing_else(here: House, camera: Camera) -> None:
    ctx = await visit(here)
    a, b, c = [page.page_id for page in await stack(ctx, 3)]
    camera.watch(Path(here.config.state_folder))

    async def cut(message: Request[Any, Any]) -> int:
        """Every crash during one request; gives how many there were."""
        first = len(camera.pictures)
        camera.take()
        await ctx.call(message)
        camera.take()
        before, *during, after = [seen(picture) for picture in camera.pictures[first:]]
        assert before != after
        turn = during.index(after) if after in during else len(during)
        assert during == [before] * turn + [after] * (len(during) - turn)
        return len(during)

    crashes = await cut(Create(name="x"))
    crashes += await cut(Save(name="x", page_ids=[a, b]))
    crashes += await cut(Save(name="x", page_ids=[c], position=0))
    crashes += await cut(SetMetadata(name="x", metadata={"a": "b"}))
    page_ids = [page_id for page_id, _ in seen(camera.take())[1]]  # type: ignore[index]
    crashes += await cut(RemovePages(name="x", page_ids=page_ids[:2]))
    crashes += await cut(Save(name="x", page_ids=[a, c], replace=True))
    crashes += await cut(Remove(name="x"))
    assert crashes > 100
