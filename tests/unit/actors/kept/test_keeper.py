"""What is kept outlives its session, whole, and opens for nobody else."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bus import Context
from schemas import buffer
from schemas.cache import BeginSession, EndSession
from schemas.config import Config
from schemas.errors import Busy, Conflict, Damaged, Denied, NotFound, StorageFailed, TooLarge, WrongPassword
from schemas.kept import (
    Create,
    Exists,
    GetMetadata,
    KeptDocument,
    ListKept,
    ListPages,
    Load,
    Loaded,
    Progress,
    Remove,
    RemovePages,
    Save,
    SetMetadata,
)
from schemas.page import Page
from tests.house import House, in_house
from tests.paper import stack

HERE, ELSEWHERE = "https://here.example", "https://elsewhere.example"


async def visit(here: House, origin: str = HERE) -> Context:
    """The context of a new session of an origin."""
    begun = await here.caller.ctx.call(BeginSession(origin=origin))
    return here.caller.ctx.on_behalf(begun.session_id)


async def listed(ctx: Context, document_id: str = "") -> list[Page]:
    return (await ctx.call(buffer.ListPages(document_id=document_id))).pages


async def names(ctx: Context) -> list[str]:
    return [document.name for document in (await ctx.call(ListKept())).documents]


async def shown(ctx: Context, pages: Sequence[Page]) -> list[bytes]:
    """The images of pages, which each have their own."""
    return [await ctx.read(page.image.blob) for page in pages]


async def kept_pages(ctx: Context, name: str, password: str = "") -> list[Page]:
    return (await ctx.call(ListPages(name=name, password=password))).pages


def folders(config: Config) -> list[Path]:
    """Those of all kept documents."""
    return sorted(Path(config.state_folder).glob("kept/*"))


def blobs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if len(path.name) == 32)


def spoil(path: Path) -> None:
    """Flip one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@in_house
async def test_pages_come_back_in_another_session_as_they_were(here: House) -> None:
    ctx = await visit(here)
    pages = await stack(ctx, 4)
    ids = [page.page_id for page in pages]
    await ctx.call(buffer.Move(page_ids=[ids[3]], position=0))
    await ctx.call(buffer.Rotate(page_ids=[ids[1]], degrees=90))
    await ctx.call(buffer.Tag(page_ids=[ids[2]], add=["invoice", "2026"]))
    before = await listed(ctx)
    images = await shown(ctx, before)
    await ctx.call(Create(name="Letters", metadata={"customer": "A-17"}))
    saved = await ctx.call(Save(name="Letters"))
    assert (len(saved.page_ids), saved.pages) == (4, 4)
    await ctx.call(EndSession())
    await here.stop("kept")
    here.start("kept")

    other = await visit(here)
    loaded = await other.call(Load(name="Letters"))
    after = await listed(other)
    assert loaded == Loaded(page_ids=[page.page_id for page in after], metadata={"customer": "A-17"})
    assert not {page.page_id for page in after} & {*ids, *saved.page_ids}
    assert [(page.rotation_degrees, page.tags) for page in after] == [
        (page.rotation_degrees, page.tags) for page in before
    ]
    assert await shown(other, after) == images


@in_house
async def test_saved_pages_stand_where_they_were_asked_to(here: House) -> None:
    ctx = await visit(here)
    a, b, c = [page.page_id for page in await stack(ctx, 3)]
    await ctx.call(Create(name="x"))

    async def save(*page_ids: str, position: int = -1, replace: bool = False) -> None:
        await ctx.call(Save(name="x", page_ids=list(page_ids), position=position, replace=replace))

    async def order() -> str:
        own = await listed(ctx)
        letters = {page.image.blob.name: letter for page, letter in zip(own, "abc", strict=True)}
        return "".join(letters[page.image.blob.name] for page in await kept_pages(ctx, "x"))

    await save(b, a)
    assert await order() == "ba"
    await save(c)
    assert await order() == "bac"
    await save(a, position=0)
    assert await order() == "abac"
    await save(c, b, position=1)
    assert await order() == "acbbac"
    await save(a, position=99)
    assert await order() == "acbbaca"
    await save(c, replace=True)
    assert await order() == "c"
    ids = [page.page_id for page in await kept_pages(ctx, "x")]
    assert len(set(ids)) == len(ids)


@in_house
async def test_a_document_of_the_session_is_saved_and_loaded_as_one(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 2)
    second = (await ctx.call(buffer.CreateDocument(name="second"))).document.document_id
    await ctx.call(buffer.Copy(page_ids=[(await listed(ctx))[1].page_id], position=0, document_id=second))
    await ctx.call(Create(name="x"))
    assert (await ctx.call(Save(name="x", document_id=second))).pages == 1
    loaded = await ctx.call(Load(name="x", document_id=second))
    assert [page.page_id for page in await listed(ctx, second)][1:] == loaded.page_ids
    assert len(await listed(ctx)) == 2


@in_house
async def test_single_pages_are_loaded_in_the_order_in_which_they_are_named(here: House) -> None:
    ctx = await visit(here)
    pages = await stack(ctx, 3)
    await ctx.call(Create(name="x"))
    a, _, c = (await ctx.call(Save(name="x"))).page_ids
    other = await visit(here)
    await other.call(Load(name="x", page_ids=[c, a]))
    assert await shown(other, await listed(other)) == await shown(ctx, [pages[2], pages[0]])
    with pytest.raises(NotFound, match="1 of these pages"):
        await other.call(Load(name="x", page_ids=[a, pages[0].page_id]))


@in_house
async def test_whoever_saves_and_loads_hears_how_far_it_is(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 3)
    await ctx.call(Create(name="x"))
    for message in (Save(name="x"), Load(name="x")):
        async with ctx.stream(message) as stream:
            heard = [part async for part in stream]
        assert heard == [Progress(pages=number, total=3) for number in (1, 2, 3)]


@in_house
async def test_documents_are_found_by_name_within_their_origin_only(here: House) -> None:
    ctx, other, program = await visit(here), await visit(here, ELSEWHERE), await visit(here, "")
    await stack(ctx, 1)
    await ctx.call(Create(name="b"))
    await ctx.call(Create(name="a", password="secret"))
    await ctx.call(Save(name="b"))
    own = (await ctx.call(ListKept())).documents
    assert [(document.name, document.protected) for document in own] == [("a", True), ("b", False)]
    assert await names(await visit(here)) == ["a", "b"]
    for stranger in (other, program):
        assert await names(stranger) == []
        assert not (await stranger.call(Exists(name="b"))).exists
        for message in (
            Save(name="b"),
            Load(name="b"),
            ListPages(name="b"),
            RemovePages(name="b", page_ids=["x"]),
            GetMetadata(name="b"),
            SetMetadata(name="b", metadata={}),
            Remove(name="b"),
        ):
            with pytest.raises(NotFound, match="no kept document"):
                await stranger.call(message)
        await stranger.call(Create(name="b"))
    assert len(await kept_pages(ctx, "b")) == 1
    assert await kept_pages(other, "b") == []


@in_house
async def test_without_a_session_there_are_no_documents(here: House) -> None:
    with pytest.raises(Denied):
        await here.caller.ctx.call(ListKept())
    with pytest.raises(Denied):
        await here.caller.ctx.call(Create(name="x"))


@in_house
async def test_a_name_is_taken_once_and_may_be_typed_on_another_system(here: House) -> None:
    ctx = await visit(here)
    await ctx.call(Create(name="caf\u00e9"))
    with pytest.raises(Conflict):
        await ctx.call(Create(name="cafe\u0301"))
    assert (await ctx.call(Exists(name="cafe\u0301"))).exists
    unnamed = [(await ctx.call(Create())).name for _ in range(2)]
    assert len(set(unnamed)) == 2
    assert set(unnamed) < set(await names(ctx))


@in_house
async def test_long_lists_of_documents_are_read_in_parts(here: House) -> None:
    ctx = await visit(here)
    for name in "dcba":
        await ctx.call(Create(name=name))
    part = await ctx.call(ListKept(start=1, count=2))
    assert (part.total, part.start, [document.name for document in part.documents]) == (4, 1, ["b", "c"])


@in_house
async def test_a_password_protects_everything_but_the_name(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 1)
    await ctx.call(Create(name="x", password="secret", metadata={"a": "b"}))
    await ctx.call(Save(name="x", password="secret"))
    assert await ctx.call(Exists(name="x"), timeout_s=5) == (await ctx.call(Exists(name="x")))
    assert (await ctx.call(Exists(name="x"))).protected
    for password in ("", "wrong"):
        for message in (Load(name="x", password=password), Remove(name="x", password=password)):
            with pytest.raises(WrongPassword):
                await ctx.call(message)
    with pytest.raises(Busy, match="wrong passwords"):
        for _ in range(9):
            with pytest.raises(WrongPassword):
                await ctx.call(GetMetadata(name="x", password="wrong"))
    assert len(await listed(ctx)) == 1


@in_house
async def test_metadata_is_replaced_as_a_whole(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 1)
    await ctx.call(Create(name="x", password="secret", metadata={"a": "1", "b": "2"}))
    await ctx.call(Save(name="x", password="secret"))
    noted = await ctx.call(SetMetadata(name="x", password="secret", metadata={"c": "3"}))
    assert noted == await ctx.call(GetMetadata(name="x", password="secret"))
    assert (noted.metadata, noted.pages) == ({"c": "3"}, 1)


@in_house
async def test_removed_pages_are_gone_with_their_bytes(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 3)
    await ctx.call(Create(name="x"))
    a, b, c = (await ctx.call(Save(name="x"))).page_ids
    await ctx.call(Save(name="x", page_ids=[(await listed(ctx))[1].page_id]))
    with pytest.raises(NotFound):
        await ctx.call(RemovePages(name="x", page_ids=[a, "unknown"]))
    assert (await ctx.call(RemovePages(name="x", page_ids=[a, b, a]))).pages == 2
    assert len(blobs(folders(here.config)[0])) == 2
    assert (await kept_pages(ctx, "x"))[0].page_id == c
    await ctx.call(Save(name="x", page_ids=[(await listed(ctx))[0].page_id], replace=True))
    assert len(blobs(folders(here.config)[0])) == 1


@in_house
async def test_a_removed_document_is_gone_and_its_name_free(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 2)
    await ctx.call(Create(name="x", password="secret"))
    await ctx.call(Save(name="x", password="secret"))
    await ctx.call(Remove(name="x", password="secret"))
    assert folders(here.config) == []
    assert await names(ctx) == []
    with pytest.raises(NotFound):
        await ctx.call(Remove(name="x", password="secret"))
    await ctx.call(Create(name="x"))
    assert await kept_pages(ctx, "x") == []


@in_house
async def test_the_key_is_destroyed_before_the_pages_are_deleted(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = await visit(here)
    await stack(ctx, 2)
    await ctx.call(Create(name="x"))
    await ctx.call(Save(name="x"))
    left: list[Path] = []

    def power_cut(folder: Path) -> None:
        left.extend(folder.iterdir())
        raise OSError("the power was cut")

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", power_cut)
        with pytest.raises(StorageFailed):
            await ctx.call(Remove(name="x"))
    assert sorted(path.name[:4] for path in left if len(path.name) != 32) == ["mani", "mani"]
    assert await names(ctx) == []
    await here.stop("kept")
    here.start("kept")
    await ctx.call(ListKept())
    assert folders(here.config) == []


@in_house
async def test_there_is_one_writer_at_a_time_and_no_writer_among_readers(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 60)
    await ctx.call(Create(name="x"))
    for message in (Save(name="x"), Load(name="x")):
        async with ctx.stream(message) as stream:
            async for _ in stream:
                break
            with pytest.raises(Conflict, match="being saved to, or loaded"):
                await ctx.call(SetMetadata(name="x", metadata={}))
            with pytest.raises(Conflict):
                await ctx.call(Remove(name="x"))
            await stream.reply()
    await ctx.call(SetMetadata(name="x", metadata={}))


@in_house
async def test_two_may_load_a_document_at_once(here: House) -> None:
    ctx, other = await visit(here), await visit(here)
    await stack(ctx, 20)
    await ctx.call(Create(name="x"))
    await ctx.call(Save(name="x"))
    loaded = await asyncio.gather(*(each.call(Load(name="x")) for each in (ctx, other)))
    assert [len(each.page_ids) for each in loaded] == [20, 20]


@in_house
async def test_a_canceled_save_leaves_the_document_as_it_was(here: House) -> None:
    ctx = await visit(here)
    first = await stack(ctx, 30)
    await ctx.call(Create(name="x"))
    await ctx.call(Save(name="x", page_ids=[first[0].page_id]))
    async with ctx.stream(Save(name="x", replace=True)) as stream:
        async for _ in stream:
            break
    assert len(await kept_pages(ctx, "x")) == 1
    assert len(blobs(folders(here.config)[0])) == 1
    assert (await ctx.call(Save(name="x"))).pages == 31


@in_house
async def test_a_session_that_ends_meanwhile_ends_the_loading_and_damages_nothing(here: House) -> None:
    ctx, other = await visit(here), await visit(here)
    await stack(ctx, 60)
    await ctx.call(Create(name="x"))
    await ctx.call(Save(name="x"))
    async with other.stream(Load(name="x")) as stream:
        async for _ in stream:
            break
        await other.call(EndSession())
        with pytest.raises(NotFound):
            await stream.reply()
    assert (await ctx.call(Load(name="x"))).damaged == []


@in_house
async def test_what_cannot_be_saved_changes_nothing(here: House) -> None:
    ctx = await visit(here)
    await ctx.call(Create(name="x"))
    with pytest.raises(Conflict, match="no pages to save"):
        await ctx.call(Save(name="x"))
    pages = await stack(ctx, 3)
    with pytest.raises(NotFound):
        await ctx.call(Save(name="x", page_ids=[pages[0].page_id, "unknown"]))
    spoil(Path(here.config.state_folder) / "pages" / ctx.session / pages[1].image.blob.name)
    with pytest.raises(Damaged, match="Page 2") as damage:
        await ctx.call(Save(name="x"))
    assert damage.value.data["page_id"] == pages[1].page_id
    assert await kept_pages(ctx, "x") == []
    assert blobs(folders(here.config)[0]) == []
    assert (await ctx.call(Save(name="x", page_ids=[pages[0].page_id]))).pages == 1


@in_house
async def test_a_document_has_an_end(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.kept.keeper.PAGES_LIMIT", 3)
    ctx = await visit(here)
    await stack(ctx, 2)
    await ctx.call(Create(name="x"))
    await ctx.call(Save(name="x"))
    with pytest.raises(TooLarge, match="at most 3"):
        await ctx.call(Save(name="x"))
    assert (await ctx.call(Save(name="x", replace=True))).pages == 2


@in_house
async def test_a_damaged_page_costs_that_page_only_and_is_named(here: House) -> None:
    ctx = await visit(here)
    pages = await stack(ctx, 4)
    await ctx.call(Create(name="x"))
    saved = (await ctx.call(Save(name="x"))).page_ids
    spoil(folders(here.config)[0] / pages[1].image.blob.name)
    (folders(here.config)[0] / pages[2].image.blob.name).unlink()
    other = await visit(here)
    loaded = await other.call(Load(name="x"))
    assert loaded.damaged == [saved[1], saved[2]]
    assert await shown(other, await listed(other)) == await shown(ctx, [pages[0], pages[3]])
    await other.call(RemovePages(name="x", page_ids=loaded.damaged))
    assert (await other.call(Load(name="x"))).damaged == []


@pytest.mark.parametrize("file", ["lock", "manifest"])
@in_house
async def test_one_bad_file_that_says_what_there_is_costs_nothing(here: House, file: str) -> None:
    ctx = await visit(here)
    await stack(ctx, 2)
    await ctx.call(Create(name="x"))
    await ctx.call(Save(name="x"))
    for path in (folders(here.config)[0] / file, folders(here.config)[0] / f"{file}.copy"):
        whole = path.read_bytes()
        for damage in (whole[:-1], b"", bytes(len(whole)), whole[:40] + b"\xff" + whole[41:]):
            path.write_bytes(damage)
            assert len((await ctx.call(Load(name="x"))).page_ids) == 2
        path.write_bytes(whole)


@in_house
async def test_an_older_manifest_that_was_put_back_does_not_win(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 1)
    await ctx.call(Create(name="x"))
    await ctx.call(Save(name="x"))
    manifest = folders(here.config)[0] / "manifest"
    older = manifest.read_bytes()
    await ctx.call(Save(name="x"))
    manifest.write_bytes(older)
    assert len(await kept_pages(ctx, "x")) == 2


@in_house
async def test_a_document_that_is_damaged_as_a_whole_costs_no_other_one(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 1)
    for name in ("fine", "listless", "lockless"):
        before = folders(here.config)
        await ctx.call(Create(name=name, password="secret" if name == "lockless" else ""))
        (folder,) = set(folders(here.config)) - set(before)
        for path in folder.glob({"listless": "manifest*", "lockless": "lock*"}.get(name, "nothing")):
            spoil(path)
    assert await names(ctx) == ["fine", "listless"]
    for name, password in (("listless", ""), ("lockless", "secret")):
        with pytest.raises(Damaged):
            await ctx.call(Save(name=name, password=password))
        with pytest.raises(Damaged):
            await ctx.call(Load(name=name, password=password))
    await ctx.call(Save(name="fine"))
    await ctx.call(Remove(name="listless"))
    await ctx.call(Remove(name="lockless"))
    assert len(folders(here.config)) == 1
    await here.stop("kept")
    here.start("kept")
    assert len((await ctx.call(Load(name="fine"))).page_ids) == 1


@in_house
async def test_files_of_one_document_do_not_open_in_another(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 1)
    await ctx.call(Create(name="mine"))
    (mine,) = folders(here.config)
    stranger = await visit(here, ELSEWHERE)
    await stack(stranger, 1)
    await stranger.call(Create(name="theirs"))
    await stranger.call(Save(name="theirs"))
    (theirs,) = set(folders(here.config)) - {mine}
    for path in theirs.iterdir():
        shutil.copy(path, mine / path.name)
    with pytest.raises(Damaged):
        await ctx.call(Load(name="mine"))
    assert await names(ctx) == []


@in_house
async def test_nothing_of_a_document_can_be_read_in_its_files(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 1)
    await ctx.call(buffer.Tag(page_ids=[(await listed(ctx))[0].page_id], add=["canary-tag"]))
    await ctx.call(Create(name="canary-name", password="canary-password", metadata={"canary-key": "canary-value"}))
    await ctx.call(Save(name="canary-name", password="canary-password"))
    files = sorted(folders(here.config)[0].iterdir())
    assert len(files) == 5
    for path in files:
        assert b"canary" not in path.read_bytes()
        assert "canary" not in path.name
    assert {path.stat().st_mode & 0o777 for path in (*folders(here.config), folders(here.config)[0].parent)} == {0o700}


@in_house
async def test_what_a_crash_left_behind_is_swept(here: House) -> None:
    ctx = await visit(here)
    await stack(ctx, 1)
    await ctx.call(Create(name="x"))
    await ctx.call(Create(name="y", password="secret"))
    await ctx.call(Save(name="x"))
    kept = folders(here.config)
    for folder in kept:
        (folder / ("0" * 32)).write_bytes(b"a page that nobody named")
        (folder / ("." + "1" * 32)).write_bytes(b"half a page")
    shutil.copytree(kept[0], kept[0].with_name(".new-" + "2" * 32))
    shutil.copytree(kept[0], kept[0].with_name(".gone-" + "3" * 32))
    await here.stop("kept")
    here.start("kept")
    await ctx.call(Save(name="y", password="secret"))
    assert folders(here.config) == kept
    assert [len(list(folder.iterdir())) for folder in kept] == [5, 5]
    assert len((await ctx.call(Load(name="x"))).page_ids) == 1


@in_house
async def test_without_its_key_the_whole_shelf_says_what_to_do(here: House) -> None:
    ctx = await visit(here)
    await ctx.call(Create(name="x"))
    state = Path(here.config.state_folder)
    keys = [state / "storage.key", state / "storage.key.copy"]
    whole = keys[0].read_bytes()

    async def restart() -> None:
        await here.stop("kept")
        here.start("kept")

    keys[0].write_bytes(whole[:-1])
    await restart()
    assert await names(ctx) == ["x"]
    for damage in (whole[:-1], b"", bytes(len(whole)), None):
        for path in keys:
            path.unlink() if damage is None else path.write_bytes(damage)
        await restart()
        for message in (ListKept(), Create(name="y"), Load(name="x"), Exists(name="x")):
            with pytest.raises(Damaged, match=r"Put it back from a backup.*move the folder `kept`"):
                await ctx.call(message)
    keys[1].write_bytes(whole)
    assert (await ctx.call(ListKept())).documents[0].name == "x"
    folders(here.config)[0].parent.rename(state / "kept.away")
    await restart()
    assert await names(ctx) == []


def test_a_listed_document_says_nothing_of_its_pages() -> None:
    assert set(KeptDocument.__struct_fields__) == {"name", "changed_at", "protected"}
