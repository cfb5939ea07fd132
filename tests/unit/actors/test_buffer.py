"""The pages of a session keep their order and their edits."""

import secrets

import pytest

from bus import Context
from schemas.buffer import Append, Change, Changed, GetPage, ListPages, Move, Remove, Rotate
from schemas.cache import EndSession
from schemas.errors import Denied, NotFound
from schemas.page import Page
from tests.house import House, in_house
from tests.paper import kept, stack


async def listed(ctx: Context) -> list[Page]:
    return (await ctx.call(ListPages())).pages


def ledgers(here: House) -> list[str]:
    """The sessions that the buffer remembers something of."""
    return sorted(path.stem for path in (here.store.folder / "buffer").glob("*.sqlite"))


async def order(ctx: Context, pages: list[Page]) -> list[int]:
    """Where the pages of the session were in `pages`."""
    ids = [page.page_id for page in pages]
    return [ids.index(page.page_id) for page in await listed(ctx)]


@in_house
async def test_pages_are_listed_in_the_order_in_which_they_came(here: House) -> None:
    ctx = here.session()
    assert await listed(ctx) == []
    pages = await stack(ctx, 3)
    assert await listed(ctx) == pages


@pytest.mark.parametrize(
    ("moved", "position", "after"),
    [
        ([4], 0, [4, 0, 1, 2, 3]),
        ([0], 2, [1, 2, 0, 3, 4]),
        ([3, 1], 0, [3, 1, 0, 2, 4]),
        ([0, 2], 1, [1, 0, 2, 3, 4]),
        ([1, 0], 99, [2, 3, 4, 1, 0]),
        ([2, 2], 0, [2, 0, 1, 3, 4]),
        ([0, 1, 2, 3, 4], 3, [0, 1, 2, 3, 4]),
    ],
)
@in_house
async def test_moved_pages_stand_together_where_they_were_asked_to(
    here: House, moved: list[int], position: int, after: list[int]
) -> None:
    ctx = here.session()
    pages = await stack(ctx, 5)
    await ctx.call(Move(page_ids=[pages[each].page_id for each in moved], position=position))
    assert await order(ctx, pages) == after


@in_house
async def test_a_page_that_comes_after_a_move_is_last(here: House) -> None:
    ctx = here.session()
    pages = await stack(ctx, 3)
    await ctx.call(Move(page_ids=[pages[0].page_id], position=9))
    await ctx.call(Remove(page_ids=[pages[1].page_id]))
    pages += [(await ctx.call(Append(image=await kept(ctx, b"\xff" * 24)))).page]
    assert await order(ctx, pages) == [2, 0, 3]


@in_house
async def test_a_removed_page_is_gone_with_its_bytes(here: House) -> None:
    ctx = here.session()
    pages = await stack(ctx, 3)
    await ctx.call(Remove(page_ids=[pages[1].page_id, pages[1].page_id]))
    assert await listed(ctx) == [pages[0], pages[2]]
    assert await ctx.read(pages[0].image.blob)
    with pytest.raises(NotFound):
        await ctx.read(pages[1].image.blob)
    with pytest.raises(NotFound):
        await ctx.call(GetPage(page_id=pages[1].page_id))


@in_house
async def test_turns_add_up_and_come_round(here: House) -> None:
    ctx = here.session()
    first, second = await stack(ctx, 2)
    for degrees, after in ((90, 90), (180, 270), (270, 180), (0, 180), (180, 0)):
        await ctx.call(Rotate(page_ids=[first.page_id, first.page_id], degrees=degrees))
        assert [page.rotation_degrees for page in await listed(ctx)] == [after, 0]
        assert (await ctx.call(GetPage(page_id=first.page_id))).page.rotation_degrees == after
    assert await listed(ctx) == [first, second]


@in_house
async def test_an_unknown_page_leaves_everything_as_it_was(here: House) -> None:
    ctx = here.session()
    pages = await stack(ctx, 3)
    ids = [pages[2].page_id, secrets.token_hex(16)]
    for request in (Move(page_ids=ids, position=0), Remove(page_ids=ids), Rotate(page_ids=ids, degrees=90)):
        with pytest.raises(NotFound):
            await ctx.call(request)
    assert await listed(ctx) == pages
    assert await ctx.read(pages[2].image.blob)


@in_house
async def test_one_session_never_sees_or_touches_the_pages_of_another(here: House) -> None:
    ctx, stranger = here.session(), here.session()
    pages = await stack(ctx, 2)
    ids = [pages[0].page_id]
    assert await listed(stranger) == []
    for request in (
        GetPage(page_id=ids[0]),
        Move(page_ids=ids, position=1),
        Remove(page_ids=ids),
        Rotate(page_ids=ids, degrees=90),
        Append(image=pages[0].image),
    ):
        with pytest.raises(NotFound):
            await stranger.call(request)
    assert await listed(stranger) == []
    assert await listed(ctx) == pages


@in_house
async def test_without_a_session_there_are_no_pages(here: House) -> None:
    with pytest.raises(Denied):
        await here.caller.ctx.call(ListPages())


@in_house
async def test_an_image_that_is_not_there_does_not_become_a_page(here: House) -> None:
    ctx = here.session()
    image = await kept(ctx, bytes(24))
    here.store.delete(ctx.session, image.blob.name)
    with pytest.raises(NotFound):
        await ctx.call(Append(image=image))
    assert await listed(ctx) == []


@in_house
async def test_pages_and_edits_survive_a_restart(here: House) -> None:
    ctx = here.session()
    pages = await stack(ctx, 3)
    await ctx.call(Rotate(page_ids=[pages[1].page_id], degrees=270))
    await ctx.call(Move(page_ids=[pages[2].page_id], position=0))
    before = await listed(ctx)
    await here.stop("buffer")
    here.start("buffer")
    assert await listed(ctx) == before


@in_house
async def test_a_page_is_durable_before_it_is_acknowledged(here: House) -> None:
    """The process dies right after the answer: another one, from the same folder, knows the page and its owner."""
    ctx = here.session()
    (page,) = await stack(ctx, 1)
    here.kill("buffer")
    here.kill("cache")
    here.start("buffer")
    here.start("cache")
    assert await listed(ctx) == [page]
    await ctx.call(Remove(page_ids=[page.page_id]))
    assert not here.store.exists(ctx.session, page.image.blob.name)


@in_house
async def test_a_change_is_announced_to_its_own_session_only(here: House) -> None:
    ctx, other = here.session(), here.session()
    one, two = [page.page_id for page in await stack(ctx, 2)]
    edits = [
        *(await ctx.call(Rotate(page_ids=[one], degrees=90))).changes,
        *(await ctx.call(Move(page_ids=[one], position=1))).changes,
        *(await ctx.call(Move(page_ids=[one], position=1))).changes,
        *(await ctx.call(Remove(page_ids=[one]))).changes,
    ]
    with pytest.raises(NotFound):
        await ctx.call(Remove(page_ids=[one]))
    (third,) = await stack(other, 1)
    await here.caller.until(lambda heard: len(heard) == 6)
    told = [(session, event.change) for session, event in here.caller.heard if isinstance(event, Changed)]
    document_id = edits[0].document_id
    assert edits == [
        Change(document_id=document_id, revision=3, touched=[one]),
        Change(document_id=document_id, revision=4, before=[one, two], after=[two, one]),
        Change(document_id=document_id, revision=5, at=1, before=[one]),
    ]
    assert told[:5] == [
        (ctx.session, Change(document_id=document_id, revision=1, after=[one])),
        (ctx.session, Change(document_id=document_id, revision=2, at=1, after=[two])),
        *((ctx.session, change) for change in edits),
    ]
    assert [(session, change.after) for session, change in told[5:]] == [(other.session, [third.page_id])]


@in_house
async def test_the_pages_of_an_ended_session_are_forgotten(here: House) -> None:
    ctx, other = here.session(), here.session()
    await stack(ctx, 2)
    pages = await stack(other, 1)
    await here.caller.until(lambda heard: len(heard) == 3)
    await ctx.call(EndSession())
    await here.caller.until(lambda heard: len(heard) == 4)
    with pytest.raises(NotFound):
        await listed(ctx)
    assert await listed(other) == pages
    assert ledgers(here) == [other.session]


@in_house
async def test_what_ended_while_the_actor_was_away_is_forgotten(here: House) -> None:
    ctx = here.session()
    await stack(ctx, 2)
    await here.stop("buffer")
    await ctx.call(EndSession())
    here.start("buffer")
    await here.ready("buffer")
    assert ledgers(here) == []
    with pytest.raises(NotFound):
        await listed(ctx)
