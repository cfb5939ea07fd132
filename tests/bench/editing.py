"""How long an edit of a long document takes: from the call to the reply of a real service, and the commit alone."""

import asyncio
from functools import partial
from pathlib import Path
from time import perf_counter

from actors.buffer.edits import plan
from actors.buffer.ledger import Ledger
from actors.buffer.model import Model
from bus.blobs import BlobStore
from scanbus.client import Client
from schemas.buffer import FIRST, PAGES, Append, Copy, Move
from schemas.message import Blob
from schemas.page import Color, Image
from tests.bench.measure import Report, median, seconds, spread
from tests.system.conftest import Service

SELECTED = 50
TIMES = 20
SESSION = "0" * 32
LIMIT_S = 0.1
IMAGE = Image(
    blob=Blob(name="0" * 32, size=1, media_type="image/jpeg"),
    width_px=2480,
    height_px=3508,
    resolution_dpi=300,
    color=Color.COLOR,
)


def editing(service: Service, report: Report, folder: Path) -> None:
    """`service` has a virtual scanner."""
    with Client(service.url) as client:
        device = client.devices(wait=True)[0]["device_id"]
        (page,) = client.scan(device, resolution_dpi=75, pages=1)
        count = 1
        for pages, limit_s in ((1000, LIMIT_S), (PAGES, 2.5 * LIMIT_S)):
            client.copy([page["page_id"]] * (pages - count), 1)
            count = pages
            ids = [each["page_id"] for each in client.pages()]
            selected = ids[:: pages // SELECTED]
            moves = [partial(client.move, selected, number % 2 * pages) for number in range(TIMES)]
            taken_s = [seconds(move) for move in moves]
            what = f"move {SELECTED} selected among {pages}, call to reply"
            report.figure(what, median(taken_s), "s", limit_s, spread(taken_s))
        taken_s = [seconds(client.pages) for _ in range(3)]
        report.figure(f"list {PAGES} pages", median(taken_s), "s", 2.0, spread(taken_s))
    asyncio.run(_commits(report, folder))


async def _commits(report: Report, folder: Path) -> None:
    store = BlobStore(folder / "commits")
    store.begin(SESSION)
    ledger = Ledger(folder / "ledger.sqlite", store.vault(SESSION))
    model = Model()
    try:
        await _do(model, ledger, Append(image=IMAGE), "page 0")
        copies = Copy(page_ids=["page 0"] * (PAGES - 1), position=1)
        ids = (f"page {number}" for number in range(1, PAGES))
        edit = plan(model, copies, lambda: next(ids))
        await ledger.commit(edit)
        model.apply(edit)
        selected = model.order(FIRST)[:: PAGES // SELECTED]
        there_and_back = [Move(page_ids=selected, position=number % 2 * PAGES) for number in range(TIMES)]
        moves = [await _do(model, ledger, move) for move in there_and_back]
        appends = [await _do(model, ledger, Append(image=IMAGE), f"new {number}") for number in range(TIMES)]
    finally:
        ledger.close()
    for what, taken_s in ((f"move {SELECTED} selected among", moves), ("append one page to", appends)):
        report.figure(f"{what} {PAGES}, planned and committed", median(taken_s), "s", LIMIT_S, spread(taken_s))


async def _do(model: Model, ledger: Ledger, msg: Append | Move, page_id: str = "") -> float:
    began = perf_counter()
    edit = plan(model, msg, lambda: page_id)
    await ledger.commit(edit)
    model.apply(edit)
    return perf_counter() - began
