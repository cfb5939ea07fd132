"""What opens where, by which name, with which key; and what becomes of a page for which there is no room."""

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.durable import flush, make_folder, storage, write
from bus.sealed import LABEL_BYTES, PIECE_BYTES, Header
from bus.vault import Vault
from schemas.errors import Canceled, Damaged, NotFound, ScanbusError, StorageFailed, StorageFull
from tests.disks import fill, small_disk

PDF, JPEG, PNM = "application/pdf", "image/jpeg", "image/x-portable-anymap"
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def vault_at(folder: Path, key: bytes = KEY) -> Vault:
    folder.mkdir()
    return Vault(folder, key)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return vault_at(tmp_path / "own")


@pytest.fixture
def other(tmp_path: Path) -> Vault:
    return vault_at(tmp_path / "other", OTHER_KEY)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_what_was_said_of_a_blob_is_known_without_reading_it(vault: Vault) -> None:
    longest = noise(LABEL_BYTES)
    for label in (b"", b"job 7, page 21", longest):
        blob = vault.put(b"page", PNM, label=label)
        assert vault.label(blob.name) == label
        assert vault.read(blob.name) == b"page"
    with pytest.raises(ValueError, match="at most"):
        vault.writer(PDF, label=longest + b"?")


def test_a_label_cannot_be_read_on_the_disk(vault: Vault) -> None:
    blob = vault.put(b"page", PDF, label=b"canary" * 20)
    assert b"canary" not in (vault.folder / blob.name).read_bytes()


def test_what_differs_in_anything_has_a_name_of_its_own(vault: Vault) -> None:
    names = [
        vault.put(data, media_type, label=label, durable=durable).name
        for data, media_type, label, durable in (
            (b"page", PDF, b"", True),
            (b"page", PDF, b"", False),
            (b"page", PDF, b"1", True),
            (b"1page", PDF, b"", True),
            (b"page", JPEG, b"", True),
        )
    ]
    assert len(set(names)) == len(names)
    assert vault.put(b"page", PDF, label=b"1").name == names[2]


def test_a_file_does_not_open_at_another_name(vault: Vault) -> None:
    one, two = vault.put(b"one", PDF), vault.put(b"two", PDF)
    (vault.folder / one.name).replace(vault.folder / two.name)
    for attempt in (vault.open, vault.label, vault.stat, vault.read):
        with pytest.raises(Damaged) as told:
            attempt(two.name)
        assert told.value.data == {"blob": two.name}


def test_a_file_with_the_header_of_another_does_not_open(vault: Vault) -> None:
    size = Header.new(PDF, b"").size
    one, two = (vault.folder / vault.put(noise(100, seed), PDF).name for seed in (1, 2))
    one.write_bytes(two.read_bytes()[:size] + one.read_bytes()[size:])
    with pytest.raises(Damaged):
        vault.open(one.name)
    content = two.read_bytes()
    two.write_bytes(content[:size] + one.read_bytes()[size:])
    with pytest.raises(Damaged):
        vault.read(two.name)


def test_a_file_opens_in_its_own_vault_only(vault: Vault, other: Vault) -> None:
    blob = vault.put(b"page", PDF)
    (other.folder / blob.name).write_bytes((vault.folder / blob.name).read_bytes())
    with pytest.raises(Damaged):
        other.open(blob.name)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Vault, str, bytes]:
    vault = vault_at(tmp_path_factory.mktemp("sealed") / "own")
    blob = vault.put(noise(PIECE_BYTES + 1000), JPEG, label=b"label")
    return vault, blob.name, (vault.folder / blob.name).read_bytes()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_change_of_any_byte_goes_unnoticed(sealed: tuple[Vault, str, bytes], data: st.DataObject) -> None:
    vault, name, whole = sealed
    places = st.one_of(
        st.integers(0, 200), st.integers(0, len(whole) - 1), st.integers(len(whole) - 1100, len(whole) - 1)
    )
    content = bytearray(whole)
    match data.draw(st.sampled_from(["flip", "cut", "zero", "grow"])):
        case "flip":
            content[data.draw(places)] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del content[data.draw(places) :]
        case "zero":
            at = data.draw(places)
            length = min(data.draw(st.integers(1, 5000)), len(content) - at)
            content[at : at + length] = bytes(length)
        case _:
            content += bytes(data.draw(st.integers(1, 2 * PIECE_BYTES)))
    (vault.folder / name).write_bytes(content)
    if content == whole:
        assert vault.read(name)
        return
    with pytest.raises(Damaged) as told:
        vault.read(name)
    assert told.value.data == {"blob": name}


def test_a_blob_that_another_vault_adopted_needs_nothing_of_the_first_any_more(vault: Vault, other: Vault) -> None:
    data = noise(2 * PIECE_BYTES + 5)
    blob = vault.put(data, JPEG, label=b"page 1")
    other.adopt(vault, blob.name)
    other.adopt(vault, blob.name)
    vault.delete(blob.name)
    assert other.read(blob.name) == data
    assert other.label(blob.name) == b"page 1"
    assert list(other.names()) == [blob.name]
    with pytest.raises(Damaged):
        Vault(other.folder, KEY).open(blob.name)


def test_what_is_damaged_is_not_adopted_and_what_was_damaged_is_replaced(vault: Vault, other: Vault) -> None:
    blob = vault.put(b"page", PDF)
    path = vault.folder / blob.name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(Damaged):
        other.adopt(vault, blob.name)
    assert other.names() == {}
    path.write_bytes(whole)
    (other.folder / blob.name).write_bytes(b"rubbish")
    other.adopt(vault, blob.name)
    assert other.read(blob.name) == b"page"
    with pytest.raises(NotFound):
        other.adopt(vault, "0" * 32)


def test_a_blob_that_finds_no_room_is_not_adopted(tmp_path: Path, vault: Vault) -> None:
    blob = vault.put(noise(1 << 20), PDF)
    with small_disk(tmp_path / "small", size_kb=256) as folder:
        small = Vault(folder, OTHER_KEY)
        with pytest.raises(StorageFull):
            small.adopt(vault, blob.name)
        assert small.names() == {}


@given(st.binary(max_size=300), st.text(max_size=20), st.integers(0, 10_000), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_a_text_opens_as_it_was_sealed_or_not_at_all(text: bytes, identity: str, place: int, bit: int) -> None:
    vault = Vault(Path(), KEY)
    sealed = vault.seal(text, identity)
    assert vault.unseal(sealed, identity) == text
    changed = bytearray(sealed)
    changed[place % len(changed)] ^= 1 << bit
    for attempt in (
        lambda: vault.unseal(sealed, identity + "x"),
        lambda: Vault(Path(), OTHER_KEY).unseal(sealed, identity),
        lambda: vault.unseal(bytes(changed), identity),
        lambda: vault.unseal(sealed[: place % len(sealed)], identity),
    ):
        with pytest.raises(Damaged):
            attempt()


def written(vault: Vault, data: bytes, wait_for_room: Callable[[], None] | None) -> str:
    with vault.writer(JPEG, wait_for_room=wait_for_room) as writer:
        for at in range(0, len(data), 1 << 16):
            writer.write(data[at : at + (1 << 16)])
    return writer.blob.name


def test_a_page_for_which_there_is_no_room_waits_and_is_whole_then(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", size_kb=6 << 10) as folder:
        vault = vault_at(folder / "own")
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(4 << 20))
        waits: list[int] = []

        def wait() -> None:
            waits.append(len(waits))
            os.truncate(ballast, (3 - len(waits)) << 20)

        data = noise(4 << 20)
        assert vault.read(written(vault, data, wait)) == data
        assert waits


def test_waiting_for_room_can_be_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", size_kb=1 << 10) as folder:
        vault = vault_at(folder / "own")

        def give_up() -> None:
            raise Canceled()

        before = written(vault, b"before", None)
        for wait, error in ((give_up, Canceled), (None, StorageFull)):
            with pytest.raises(error):
                written(vault, noise(4 << 20), wait)
        ballast = fill(folder)
        with pytest.raises(Canceled):
            written(vault, b"page", give_up)
        ballast.unlink()
        assert list(vault.names()) == [before]
        assert vault.read(written(vault, b"after", None)) == b"after"


def test_a_file_is_abandoned_when_nobody_writes_it_any_more(vault: Vault) -> None:
    writer = vault.writer(PDF)
    (part,) = vault.names()
    assert not vault.abandoned(part)
    writer.__exit__(Canceled, Canceled(), None)
    assert not vault.abandoned(part)
    (vault.folder / ".left").write_bytes(b"half a page")
    assert vault.abandoned(".left")


def test_what_cannot_be_made_durable_is_said(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(StorageFailed):
            flush(writer)
    finally:
        os.close(reader), os.close(writer)


def test_a_small_file_is_replaced_as_a_whole_or_stays(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", size_kb=256) as folder:
        make_folder(folder / "a" / "b")
        path = folder / "a" / "b" / "manifest"
        write(path, b"old")
        with pytest.raises(OSError, match="space"):
            write(path, bytes(1 << 20))
        assert path.read_bytes() == b"old"
        write(path, b"new")
        assert path.read_bytes() == b"new"
        assert [each.name for each in path.parent.iterdir()] == ["manifest"]
        assert {each.stat().st_mode & 0o077 for each in (path, path.parent, path.parent.parent)} == {0}


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, Damaged),
        (errno.EMFILE, StorageFailed),
        (errno.EACCES, StorageFailed),
        (errno.ENOENT, NotFound),
    ],
)
def test_what_the_system_says_is_told_in_words_for_pages(number: int, error: type[ScanbusError]) -> None:
    with pytest.raises(error) as told, storage(missing=NotFound("It has gone."), blob="page"):
        raise OSError(number, os.strerror(number))
    assert told.value.data == ({"blob": "page"} if error is Damaged else {})


def test_a_disk_that_cannot_be_written_damages_nothing() -> None:
    with pytest.raises(StorageFailed, match=os.strerror(errno.EIO)), storage():
        raise OSError(errno.EIO, os.strerror(errno.EIO))
