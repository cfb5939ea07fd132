"""Whatever comes in between, at whichever step: every registered actor answers its callers, once, as announced."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from bus.actor import Actor
from bus.blobs import BlobStore
from bus.check import Requests, check_actor
from bus.rehearsal import Visit
from schemas import kept
from schemas.buffer import Append
from schemas.config import Config
from schemas.device import Area, Scan, Settings
from schemas.errors import Conflict, NotFound
from schemas.message import Blob, Request
from schemas.page import Color, Image
from tests.contract import broken
from tests.disks import quick_folder
from tests.house import virtual_config
from tests.paper import PNM, gray, pnm

INSTANCES = {"driver": "virtual:sample"}


async def anything(visit: Visit) -> Sequence[Request[Any, Any]]:
    """There is one image in the session, small and true."""
    blob = visit.store.put(visit.session, pnm(Color.GRAY, 4, 6, gray()), PNM)
    image = Image(blob=blob, width_px=4, height_px=6, resolution_dpi=100, color=Color.GRAY)
    area = Area(width_mm=5, height_mm=5)
    settings = Settings(color=Color.GRAY, resolution_dpi=75, area=area, pages=1)
    visit.specimens |= {Blob: blob, Image: image, Settings: settings, "blobs": [blob.name]}
    return visit.examples()


async def of_a_page(visit: Visit) -> Sequence[Request[Any, Any]]:
    """The buffer has one page."""
    await anything(visit)
    page = (await visit.ask(Append(image=visit.specimens[Image]))).page
    visit.specimens |= {"page_id": page.page_id, "page_ids": [page.page_id]}
    return visit.examples()


async def of_a_job(visit: Visit) -> Sequence[Request[Any, Any]]:
    """There was one scan, on the device that the driver finds."""
    await anything(visit)
    visit.specimens["device_id"] = "virtual:x"
    visit.specimens["job_id"] = (await visit.ask(Scan(device_id="virtual:x"))).job.job_id
    return visit.examples()


async def of_a_kept_document(visit: Visit) -> Sequence[Request[Any, Any]]:
    """There is a document with one page, and no password that takes its time."""
    await anything(visit)
    with suppress(Conflict):
        await visit.ask(kept.Create(name="x"))
    with suppress(NotFound):
        await visit.ask(kept.Remove(name="new"))
    pages = (await visit.ask(kept.ListPages(name="x"))).pages
    page_ids = [page.page_id for page in pages]
    if len(page_ids) != 1:
        page_ids = (await visit.ask(kept.Save(name="x", replace=True))).page_ids
    visit.specimens |= {"name": "x", "password": "", "page_ids": page_ids}
    # One without a name would leave another document behind with each visit.
    return [kept.Create(name="new") if each == kept.Create() else each for each in visit.examples()]


# Where ids that mean something lead further than unknown ones.
REQUESTS: dict[str, Requests] = {"buffer": of_a_page, "device": of_a_job, "kept": of_a_kept_document}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Each question has an actor, a session and its keys of its own: on a disk most of the time would be theirs."""
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Path(name)


def hold(actor: Callable[[Config, str], Actor], folder: Path, requests: Requests, instance: str = "") -> None:
    """Hold an actor to its contract, in a folder of its own."""
    config = virtual_config(folder)
    store = BlobStore(Path(config.state_folder))
    store.folder.mkdir()
    ended: list[int] = []

    def make() -> Actor:
        made = actor(config, instance)
        if hasattr(made, "end"):
            made.end = ended.append
        return made

    asyncio.run(check_actor(make, store, requests))
    assert not ended


@pytest.mark.parametrize("name", sorted(point.name for point in entry_points(group="scanbus.actors")))
def test_an_actor_keeps_its_contract(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # However long it waits, each step of that is one to be interrupted at.
    monkeypatch.setattr("actors.cache.LOOK_AGAIN_S", 0.01)
    actor = next(iter(entry_points(group="scanbus.actors", name=name))).load()
    hold(actor, folder, REQUESTS.get(name, anything), INSTANCES.get(name, ""))


@pytest.mark.parametrize(
    ("actor", "complaint"), broken.COMPLAINTS.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_the_suite_notices_a_broken_promise(
    actor: type[Actor], complaint: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if actor in broken.WITHOUT_END:
        monkeypatch.setattr("bus.rehearsal.WAIT_S", 0.5)
    with pytest.raises(AssertionError, match=complaint):
        hold(actor, folder, anything)


def test_an_actor_without_a_fault_is_not_complained_of(folder: Path) -> None:
    hold(broken.Fine, folder, anything)
