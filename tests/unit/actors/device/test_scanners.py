"""The list of scanners is there at once, and each scanner serves one scan at a time."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.buffer import ListPages
from schemas.config import Config
from schemas.device import (
    Describe,
    DeviceFound,
    DeviceLost,
    ListDevices,
    Scan,
    Settings,
)
from schemas.driver import Find
from schemas.errors import Denied, DriverFailed, InUse, NotFound
from tests.house import House, in_house, virtual_config
from tests.stage import Stage, feed

DEVICE = "stage:one"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = virtual_config(tmp_path)
    return replace(config, device=replace(config.device, drivers=("stage", "virtual"), hidden=("stage:hidden",)))


def searching_is_held_up(stage: Stage) -> threading.Event:
    """From now on a search takes until the event is set."""
    go, called = threading.Event(), stage.called

    def slowly(name: str) -> None:
        if name == "find":
            go.wait(60)
        called(name)

    stage.called = slowly  # type: ignore[method-assign]
    return go


def said(*events: str) -> Callable[[list[tuple[str, object]]], bool]:
    """Whether these devices were the last that were said to be found (+) or lost (-)."""

    def happened(heard: list[tuple[str, object]]) -> bool:
        news = [
            f"+{event.device.device_id}" if isinstance(event, DeviceFound) else f"-{event.device_id}"
            for _, event in heard
            if isinstance(event, DeviceFound | DeviceLost)
        ]
        return set(events) <= set(news)

    return happened


async def listed(here: House, *, wait: bool = False) -> list[str]:
    devices = await here.session().call(ListDevices(wait=wait))
    return [device.device_id for device in devices.devices]


@in_house
async def test_all_drivers_are_asked_and_their_devices_listed_in_order(here: House, stage: Stage) -> None:
    stage.addresses = ["one", "hidden", "two"]
    assert await listed(here, wait=True) == ["stage:one", "stage:two", "virtual:sample"]


@in_house
async def test_the_list_is_there_at_once_while_a_slow_driver_searches(here: House, stage: Stage) -> None:
    go = searching_is_held_up(stage)
    ctx = here.session()
    first = await ctx.call(ListDevices())
    assert (first.devices, first.searching) == ([], ["stage", "virtual"])
    await here.caller.until(said("+virtual:sample"))
    later = await ctx.call(ListDevices(), timeout_s=1)
    assert ([each.device_id for each in later.devices], later.searching) == (["virtual:sample"], ["stage"])
    assert (await ctx.call(Describe(device_id="virtual:sample"))).capabilities.sources
    go.set()
    await here.caller.until(said("+stage:one"))
    assert await listed(here) == ["stage:one", "virtual:sample"]


@in_house
async def test_what_is_added_and_lost_is_told_while_somebody_watches(here: House, stage: Stage) -> None:
    await listed(here)
    await here.caller.until(said("+stage:one", "+virtual:sample"))
    stage.addresses = ["two"]
    await here.caller.until(said("+stage:two", "-stage:one"))
    assert await listed(here) == ["stage:two", "virtual:sample"]
    heard = [session for session, event in here.caller.heard if isinstance(event, DeviceFound)]
    assert set(heard) == {""}


@in_house
async def test_nobody_searches_before_somebody_asks(here: House, stage: Stage) -> None:
    await here.session().call(ListPages())
    assert stage.calls == []


@in_house
async def test_a_driver_that_cannot_search_is_named_and_the_others_are_listed(here: House, stage: Stage) -> None:
    stage.fail = DriverFailed("No bus.")
    devices = await here.session().call(ListDevices(wait=True))
    assert [device.device_id for device in devices.devices] == ["virtual:sample"]
    assert devices.faults == {"stage": "No bus."}
    assert "stage:one" in await listed(here, wait=True)


@in_house
async def test_a_driver_that_never_answers_does_not_keep_those_who_wait(
    here: House, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Find, "timeout_s", 0.2)
    go = searching_is_held_up(stage)
    devices = await here.session().call(ListDevices(wait=True))
    go.set()
    assert [device.device_id for device in devices.devices] == ["virtual:sample"]
    assert list(devices.faults) == ["stage"]


def test_a_search_gives_up_before_those_who_wait_for_it_do() -> None:
    assert Find.timeout_s < ListDevices.timeout_s
    assert Find.timeout_s < Describe.timeout_s


@pytest.mark.parametrize("device_id", ["stage:nine", "stage:hidden", "nosuch:one", "stage", ""])
@in_house
async def test_an_unknown_device_is_not_found(here: House, stage: Stage, device_id: str) -> None:
    stage.addresses = ["one", "hidden"]
    ctx = here.session()
    for request in (Describe(device_id=device_id), Scan(device_id=device_id)):
        with pytest.raises(NotFound):
            await ctx.call(request)
    assert (await ctx.call(ListPages())).pages == []


@in_house
async def test_a_device_that_was_just_switched_on_is_found_without_asking_for_the_list(
    here: House, stage: Stage
) -> None:
    await listed(here, wait=True)
    stage.addresses = ["one", "new"]
    assert (await here.session().call(Describe(device_id="stage:new"))).device.name == "Stage new"


@in_house
async def test_a_scan_needs_a_session(here: House, stage: Stage) -> None:
    with pytest.raises(Denied):
        await here.caller.ctx.call(Scan(device_id=DEVICE))


@in_house
async def test_a_device_that_scans_is_in_use_and_still_described(here: House, stage: Stage) -> None:
    ctx, other = here.session(), here.session()
    described = await other.call(Describe(device_id=DEVICE))
    stage.acquire = lambda settings, sink: stage.hang()
    scan = asyncio.create_task(ctx.call(Scan(device_id=DEVICE)))
    assert await asyncio.to_thread(stage.hanging.wait, 10)
    with pytest.raises(InUse):
        await other.call(Scan(device_id=DEVICE))
    with pytest.raises(InUse):
        await ctx.call(Scan(device_id=DEVICE))
    assert await other.call(Describe(device_id=DEVICE)) == described
    assert (await other.call(Describe(device_id="virtual:sample"))).capabilities.sources
    assert "stage:one" in await listed(here, wait=True)
    stage.released.set()
    await scan
    stage.acquire = feed(1)
    assert (await other.call(Scan(device_id=DEVICE))).job.pages == 1


@in_house
async def test_a_device_that_scans_and_was_never_described_says_that_it_is_in_use(here: House, stage: Stage) -> None:
    stage.acquire = lambda settings, sink: stage.hang()
    scan = asyncio.create_task(here.session().call(Scan(device_id=DEVICE)))
    assert await asyncio.to_thread(stage.hanging.wait, 10)
    with pytest.raises(InUse):
        await here.session().call(Describe(device_id=DEVICE))
    stage.released.set()
    await scan


@in_house
async def test_two_devices_scan_at_the_same_time(here: House, stage: Stage) -> None:
    stage.addresses = ["one", "two"]
    together = threading.Barrier(2)

    def acquire(settings: Settings, sink: object) -> None:
        together.wait(10)
        feed(1)(settings, sink)  # type: ignore[arg-type]

    stage.acquire = acquire
    ctx = here.session()
    jobs = await asyncio.gather(*(ctx.call(Scan(device_id=f"stage:{each}")) for each in stage.addresses))
    assert [scanned.job.pages for scanned in jobs] == [1, 1]
