"""Pages that a crash or a damaged database would have lost come back, once, in order, and nobody else's."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import Context
from schemas.buffer import (
    FIRST,
    Append,
    Appended,
    Change,
    Changed,
    Copy,
    CreateDocument,
    ListDocuments,
    ListPages,
    Move,
    Remove,
    Rescue,
    Rotate,
    Tag,
)
from schemas.cache import Hold
from schemas.errors import NotFound, StorageFailed
from schemas.page import Color, Image, Page, PageLabel
from tests.house import House, in_house
from tests.paper import PNM, pnm, stack

JOB, OTHER_JOB = "1" * 32, "2" * 32


def scanned(
    here: House, ctx: Context, number: int, job_id: str = JOB, color: Color = Color.GRAY, **label: Any
) -> Image:
    """An image as a driver leaves it: durable, labelled, told to nobody."""
    facts = {"width_px": 9, "height_px": 6, "resolution_dpi": 100, "color": color}
    said = PageLabel(job_id=job_id, number=number, **facts, **label)  # type: ignore[arg-type]
    line_bytes = {Color.MONO: 2, Color.GRAY: 9, Color.COLOR: 27}[color]
    data = pnm(color, 9, 6, bytes([number]) * 6 * line_bytes)
    return Image(blob=here.store.put(ctx.session, data, PNM, label=msgspec.msgpack.encode(said)), **facts)  # type: ignore[arg-type]


async def listed(ctx: Context, document_id: str = "") -> list[Page]:
    return (await ctx.call(ListPages(document_id=document_id))).pages


async def numbers(ctx: Context, document_id: str = "") -> list[int]:
    return [page.number for page in await listed(ctx, document_id)]


def ledger(here: House, ctx: Context) -> Path:
    return here.store.folder / "buffer" / f"{ctx.session}.sqlite"


async def again(here: House) -> None:
    await here.stop("buffer")
    here.start("buffer")


@in_house
async def test_a_page_of_a_scan_is_appended_once(here: House) -> None:
    ctx = here.session()
    image, other = scanned(here, ctx, 1), scanned(here, ctx, 1, document_id="elsewhere")
    first = await ctx.call(Append(image=image, job_id=JOB, number=1))
    assert first == await ctx.call(Append(image=other, job_id=JOB, number=1))
    await here.stop("buffer")
    here.start("buffer")
    assert (
        first
        == await ctx.call(Append(image=image, job_id=JOB, number=1))
        == Appended(page=first.page, document_id=FIRST)
    )
    both = await asyncio.gather(*(ctx.call(Append(image=image, job_id=JOB, number=2)) for _ in range(2)))
    assert both[0] == both[1]
    assert await numbers(ctx) == [1, 2]


@in_house
async def test_pages_that_an_older_list_does_not_have_come_back_with_it(here: House) -> None:
    ctx = here.session()
    await ctx.call(Append(image=scanned(here, ctx, 1), job_id=JOB, number=1))
    await here.stop("buffer")
    older = ledger(here, ctx).read_bytes()
    here.start("buffer")
    for number in (2, 3):
        await ctx.call(Append(image=scanned(here, ctx, number), job_id=JOB, number=number))
    await here.stop("buffer")
    ledger(here, ctx).write_bytes(older)
    here.start("buffer")
    pages = await listed(ctx)
    assert [page.number for page in pages] == [1, 2, 3]
    rescued = await ctx.call(Rescue(job_id=JOB))
    assert (rescued.pages, rescued.last_number) == (pages[1:], 3)
    assert (await ctx.call(Rescue(job_id=JOB))).pages == []
    await again(here)
    for page in await listed(ctx):
        assert await ctx.read(page.image.blob)


@in_house
async def test_an_image_whose_page_nobody_was_told_of_does_not_come_back_by_itself(here: House) -> None:
    ctx = here.session()
    await ctx.call(Append(image=scanned(here, ctx, 1), job_id=JOB, number=1))
    scanned(here, ctx, 2)
    await again(here)
    assert await numbers(ctx) == [1]
    assert [page.number for page in (await ctx.call(Rescue(job_id=JOB))).pages] == [2]


@in_house
async def test_a_page_that_was_removed_never_comes_back(here: House) -> None:
    ctx = here.session()
    for number in (1, 2):
        await ctx.call(Append(image=scanned(here, ctx, number), job_id=JOB, number=number))
    first, second = await listed(ctx)
    await ctx.call(Remove(page_ids=[second.page_id]))
    for _ in range(2):
        image = scanned(here, ctx, 2)
        assert (await ctx.call(Append(image=image, job_id=JOB, number=2))).page.page_id == second.page_id
        rescued = await ctx.call(Rescue(job_id=JOB))
        assert (rescued.pages, rescued.last_number) == ([], 2)
        assert await listed(ctx) == [first]
        await again(here)


@in_house
async def test_what_a_scan_kept_without_being_told_of_is_rescued_up_to_the_first_gap(here: House) -> None:
    ctx = here.session()
    await ctx.call(Append(image=scanned(here, ctx, 1), job_id=JOB, number=1))
    images = {number: scanned(here, ctx, number) for number in (3, 2, 5)}
    scanned(here, ctx, 2, OTHER_JOB)
    await ctx.put(b"a rendering", "image/jpeg")
    rescued = await ctx.call(Rescue(job_id=JOB))
    assert rescued.last_number == 3
    assert [(page.number, page.image) for page in rescued.pages] == [(2, images[2]), (3, images[3])]
    assert (await listed(ctx))[1:] == rescued.pages
    assert (await ctx.call(Rescue(job_id=JOB))).pages == []
    assert (await ctx.call(Append(image=images[3], job_id=JOB, number=3))).page == rescued.pages[1]
    assert (await ctx.call(Rescue(job_id=OTHER_JOB))).last_number == 0
    await ctx.call(Remove(page_ids=[page.page_id for page in rescued.pages]))
    assert not here.store.exists(ctx.session, images[2].blob.name), "a rescued page owns its image"


@pytest.mark.parametrize("color", list(Color))
def test_a_rescued_image_is_described_to_the_byte(color: Color, config: Any) -> None:
    @in_house
    async def rescued(here: House) -> None:
        ctx = here.session()
        image = scanned(here, ctx, 1, color=color, back=True)
        (page,) = (await ctx.call(Rescue(job_id=JOB))).pages
        assert page.image == msgspec.structs.replace(image, back=True)

    rescued(config)


@in_house
async def test_pages_that_were_scanned_between_others_are_rescued_there(here: House) -> None:
    ctx = here.session()
    first, last = await stack(ctx, 2)
    for number in (1, 2, 3):
        scanned(here, ctx, number, after_page_id=first.page_id)
    await ctx.call(Rescue(job_id=JOB))
    assert await numbers(ctx) == [0, 1, 2, 3, 0]
    assert (await listed(ctx))[-1] == last


@in_house
async def test_a_page_follows_another_where_that_is_still_there(here: House) -> None:
    ctx = here.session()
    first, second = await stack(ctx, 2)
    other = (await ctx.call(CreateDocument())).document.document_id
    await ctx.call(Append(image=first.image, job_id=JOB, number=1, after_page_id=first.page_id))
    await ctx.call(Append(image=first.image, job_id=JOB, number=2, after_page_id=second.page_id, document_id=other))
    await ctx.call(Append(image=first.image, job_id=JOB, number=3, after_page_id="gone"))
    await ctx.call(Append(image=first.image, job_id=JOB, number=4, document_id="gone"))
    assert (await numbers(ctx), await numbers(ctx, other)) == ([0, 1, 0, 3, 4], [2])


async def filled(here: House, ctx: Context) -> list[Page]:
    """Two scans, the second of them into another document, and edits."""
    other = (await ctx.call(CreateDocument(name="Taxes"))).document.document_id
    for job_id, document_id in ((OTHER_JOB, ""), (JOB, other)):
        for number in (1, 2, 3):
            image = scanned(here, ctx, number, job_id, document_id=document_id)
            await ctx.call(Append(image=image, job_id=job_id, number=number, document_id=document_id))
    pages = await listed(ctx)
    await ctx.call(Rotate(page_ids=[pages[1].page_id], degrees=90))
    await ctx.call(Move(page_ids=[pages[2].page_id], position=0))
    return pages + await listed(ctx, other)


@pytest.mark.parametrize("loss", ["rubbish", "truncated", "deleted", "emptied"])
def test_a_lost_ledger_is_made_anew_of_what_the_images_say(loss: str, config: Any) -> None:
    @in_house
    async def lost(here: House) -> None:
        ctx = here.session()
        pages = await filled(here, ctx)
        await here.stop("buffer")
        path = ledger(here, ctx)
        data = path.read_bytes()
        damaged = {"rubbish": b"\0" * len(data), "truncated": data[: len(data) // 2], "emptied": b""}
        path.unlink()
        if loss in damaged:
            path.write_bytes(damaged[loss])
        here.start("buffer")
        documents = (await ctx.call(ListDocuments())).documents
        found = [page for each in documents for page in await listed(ctx, each.document_id)]
        assert found == pages
        assert [each.pages for each in documents] == [3, 3]
        await here.stop("buffer")
        here.start("buffer")
        assert await listed(ctx) == pages[:3], "it is durable again"
        await ctx.call(Remove(page_ids=[pages[0].page_id]))
        assert not here.store.exists(ctx.session, pages[0].image.blob.name)

    lost(config)


def older(here: House, ctx: Context, image: Image, hours: float) -> None:
    then = time.time() - 3600 * hours
    os.utime(here.store.folder / "pages" / ctx.session / image.blob.name, (then, then))


@in_house
async def test_without_a_ledger_scans_stand_in_the_order_in_which_they_began(here: House) -> None:
    ctx = here.session()
    await stack(ctx, 1)
    for job_id, number, hours in ((JOB, 1, 2), (OTHER_JOB, 1, 4), (JOB, 2, 5), (OTHER_JOB, 2, 1), (OTHER_JOB, 3, 3)):
        older(here, ctx, scanned(here, ctx, number, job_id), hours)
    await here.stop("buffer")
    ledger(here, ctx).unlink()
    here.start("buffer")
    found = [(page.job_id, page.number) for page in await listed(ctx)]
    assert found == [(JOB, 1), (JOB, 2), (OTHER_JOB, 1), (OTHER_JOB, 2), (OTHER_JOB, 3)]


@in_house
async def test_of_two_images_with_one_number_the_one_that_was_kept_first_is_the_page(here: House) -> None:
    ctx = here.session()
    images = [scanned(here, ctx, 1, back=back) for back in (False, True)]
    older(here, ctx, images[0], 1)
    (page,) = (await ctx.call(Rescue(job_id=JOB))).pages
    assert page.image == images[0]
    other = [scanned(here, ctx, 1, OTHER_JOB, back=back) for back in (False, True)]
    older(here, ctx, other[1], 1)
    (page,) = (await ctx.call(Rescue(job_id=OTHER_JOB))).pages
    assert page.image.blob == other[1].blob


@in_house
async def test_a_damaged_row_costs_no_more_than_its_own_edits(here: House) -> None:
    ctx = here.session()
    pages = await filled(here, ctx)
    (plain,) = await stack(ctx, 1)
    before = await listed(ctx)
    await here.stop("buffer")
    with closing(sqlite3.connect(ledger(here, ctx))) as db, db:
        turned = [(pages[1].page_id,), (plain.page_id,)]
        db.executemany("UPDATE pages SET page = zeroblob(length(page)) WHERE page_id = ?", turned)
    here.start("buffer")
    assert await listed(ctx) == [pages[1] if page.page_id == pages[1].page_id else page for page in before[:-1]]
    await again(here)
    assert len(await listed(ctx)) == 3


@in_house
async def test_rows_do_not_open_in_place_of_each_other_or_for_another_session(here: House) -> None:
    ctx, stranger = here.session(), here.session()
    a, b = await stack(ctx, 2)
    (theirs,) = await stack(stranger, 1)
    await here.stop("buffer")
    with closing(sqlite3.connect(ledger(here, ctx))) as db, db:
        ((row,),) = db.execute("SELECT page FROM pages WHERE page_id = ?", [a.page_id])
        db.execute("UPDATE pages SET page = ? WHERE page_id = ?", [row, b.page_id])
    with closing(sqlite3.connect(ledger(here, stranger))) as db, db:
        db.execute("UPDATE pages SET page = ? WHERE page_id = ?", [row, theirs.page_id])
    here.start("buffer")
    assert await listed(ctx) == [a]
    assert await listed(stranger) == []


@in_house
async def test_nothing_that_is_private_can_be_read_on_the_disk(here: House) -> None:
    ctx = here.session()
    document_id = (await ctx.call(CreateDocument(name="CanaryName"))).document.document_id
    (page,) = await stack(ctx, 1)
    await ctx.call(Tag(page_ids=[page.page_id], add=["CanaryTag"]))
    await ctx.call(Move(page_ids=[page.page_id], position=0, document_id=document_id))
    for path in here.store.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"Canary" not in data
            assert page.image.blob.name.encode() not in data or "buffer" not in path.parts, path


@in_house
async def test_a_ledger_that_is_damaged_while_it_is_open_gets_all_that_was_in_it(here: House) -> None:
    ctx = here.session()
    pages = await stack(ctx, 3)
    await ctx.call(Remove(page_ids=[(await ctx.call(Append(image=pages[0].image, job_id=JOB, number=1))).page.page_id]))
    path = ledger(here, ctx)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\xff" * size)
    await ctx.call(Rotate(page_ids=[pages[1].page_id], degrees=90))
    await again(here)
    assert [page.rotation_degrees for page in await listed(ctx)] == [0, 90, 0]
    assert (await ctx.call(Rescue(job_id=JOB))).last_number == 1


@in_house
async def test_what_a_crash_left_with_removed_pages_goes_when_the_session_is_next_used(here: House) -> None:
    ctx = here.session()
    first, second = await stack(ctx, 2)
    await ctx.call(Copy(page_ids=[first.page_id], position=0))
    await here.stop("buffer")
    with closing(sqlite3.connect(ledger(here, ctx))) as db, db:
        db.execute("DELETE FROM pages WHERE page_id IN (?, ?)", [first.page_id, second.page_id])
    await ctx.call(Hold(owner="never-appended", blobs=[second.image.blob.name]))
    here.start("buffer")
    (copy,) = await listed(ctx)
    await ctx.call(Rotate(page_ids=[copy.page_id], degrees=90))
    assert here.store.exists(ctx.session, first.image.blob.name)
    assert not here.store.exists(ctx.session, second.image.blob.name)


@in_house
async def test_a_change_that_nobody_waits_for_any_more_is_made_as_a_whole(here: House) -> None:
    ctx = here.session()
    a, b, c = await stack(ctx, 3)
    for position in (2, 0):
        async with ctx.stream(Move(page_ids=[a.page_id], position=position)):
            pass
    await here.caller.until(lambda heard: len(heard) == 5)
    assert await listed(ctx) == [a, b, c]
    await again(here)
    assert await listed(ctx) == [a, b, c]
    assert here.caller.heard[-1] == (
        ctx.session,
        Changed(
            change=Change(
                document_id=FIRST,
                revision=5,
                before=[b.page_id, c.page_id, a.page_id],
                after=[a.page_id, b.page_id, c.page_id],
            )
        ),
    )


@in_house
async def test_a_change_that_cannot_be_written_changes_nothing(here: House) -> None:
    ctx = here.session()
    pages = await stack(ctx, 2)
    ids = [page.page_id for page in pages]
    with closing(sqlite3.connect(ledger(here, ctx))) as db:
        db.execute("ALTER TABLE pages RENAME TO elsewhere")
        for request in (Move(page_ids=ids[:1], position=1), Remove(page_ids=ids), Copy(page_ids=ids, position=0)):
            with pytest.raises(StorageFailed):
                await ctx.call(request)
        assert await listed(ctx) == pages
        assert (await ctx.call(ListDocuments())).documents[0].revision == 2
        db.execute("ALTER TABLE elsewhere RENAME TO pages")
    await ctx.call(Move(page_ids=ids[:1], position=1))
    await again(here)
    assert await listed(ctx) == pages[::-1]
    assert [event.change.revision for _, event in here.caller.heard if isinstance(event, Changed)] == [1, 2, 3]
    assert await ctx.read(pages[0].image.blob)


@in_house
async def test_a_session_that_ends_in_the_middle_of_a_change_leaves_nothing(here: House) -> None:
    ctx = here.session()
    pages = await stack(ctx, 2)
    here.store.end(ctx.session)
    with pytest.raises(NotFound):
        await ctx.call(Move(page_ids=[pages[0].page_id], position=1))
