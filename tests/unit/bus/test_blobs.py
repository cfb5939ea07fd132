"""What lies on the disk, who can read it, and what happens when the disk does not play along."""

import os
import random
import resource
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.blobs import BlobStore
from bus.sealed import PIECE_BYTES, SEALED_BYTES, Header
from schemas.errors import Damaged, NotFound, StorageFailed, StorageFull
from schemas.message import Blob

ALICE, BOB = "a" * 32, "b" * 32
PDF, PNM = "application/pdf", "image/x-portable-anymap"
HEADER_BYTES = Header.new(PDF, b"").size
CANARY = b"the quick brown canary " * 100_000


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path)
    store.begin(ALICE)
    store.begin(BOB)
    return store


def file_of(store: BlobStore, blob: Blob, session: str = ALICE) -> Path:
    return store.folder / "pages" / session / blob.name


SIZES = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES]


@pytest.mark.parametrize("media_type", [PDF, PNM])
@pytest.mark.parametrize("size", SIZES)
def test_what_was_put_is_read_again(store: BlobStore, size: int, media_type: str) -> None:
    data = random.Random(size).randbytes(size)
    blob = store.put(ALICE, data, media_type)
    assert (blob.size, blob.media_type) == (size, media_type)
    assert store.read(ALICE, blob.name) == data
    assert store.stat(ALICE, blob.name) == Blob(
        name=blob.name, size=size if media_type == PDF else -1, media_type=media_type
    )


@given(st.integers(0, 3 * PIECE_BYTES), st.integers(0, PIECE_BYTES))
@settings(max_examples=30, deadline=None)
def test_a_reader_can_begin_anywhere(tmp_path_factory: pytest.TempPathFactory, start: int, size: int) -> None:
    store = BlobStore(tmp_path_factory.mktemp("store"))
    store.begin(ALICE)
    data = random.Random(7).randbytes(2 * PIECE_BYTES + 77)
    with store.open(ALICE, store.put(ALICE, data, PDF).name) as file:
        file.seek(start)
        assert file.read(size) == data[start : start + size]


def test_the_same_bytes_have_one_name_in_a_session_and_another_in_the_next(store: BlobStore) -> None:
    first, again = store.put(ALICE, b"page", PDF), store.put(ALICE, b"page", PDF)
    assert first == again
    assert store.put(BOB, b"page", PDF).name != first.name


def test_no_file_holds_what_was_kept(store: BlobStore) -> None:
    for media_type in (PDF, PNM):
        store.put(ALICE, CANARY, media_type)
    kept = [path.read_bytes() for path in store.folder.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"canary" in data for data in kept)


def test_another_session_cannot_read_even_a_file_that_was_copied_to_it(store: BlobStore) -> None:
    blob = store.put(ALICE, b"page", PDF)
    with pytest.raises(NotFound):
        store.read(BOB, blob.name)
    file_of(store, blob, BOB).write_bytes(file_of(store, blob).read_bytes())
    with pytest.raises(Damaged):
        store.open(BOB, blob.name)


def test_after_the_session_ends_nothing_can_be_read_and_nothing_is_left(store: BlobStore) -> None:
    blob = store.put(ALICE, b"page", PDF)
    sealed = file_of(store, blob).read_bytes()
    store.end(ALICE)
    assert not store.has(ALICE)
    with pytest.raises(NotFound):
        store.read(ALICE, blob.name)
    assert not [path for path in store.folder.rglob("*") if ALICE in str(path)]
    store.begin(ALICE)
    file_of(store, blob).write_bytes(sealed)
    with pytest.raises(Damaged):
        store.open(ALICE, blob.name)


def test_an_end_that_a_crash_interrupted_is_no_lost_key_and_can_be_finished(store: BlobStore) -> None:
    store.put(ALICE, b"page", PDF)
    (store.folder / "pages" / ALICE).rename(store.folder / "pages" / f".{ALICE}")
    assert not store.has(ALICE)
    assert (store.sessions(), store.unreadable(), store.ended()) == ([BOB], [], [ALICE])
    store.end(ALICE)
    assert not [path for path in store.folder.rglob("*") if ALICE in str(path)]


def test_a_destroyed_key_is_overwritten_not_only_forgotten(store: BlobStore, tmp_path: Path) -> None:
    path = store.folder / "session-keys" / ALICE
    key = path.read_bytes()
    kept = tmp_path / "second name of the same file"
    kept.hardlink_to(path)
    store.end(ALICE)
    assert len(kept.read_bytes()) == len(key)
    assert kept.read_bytes() != key


def test_a_session_that_began_twice_still_reads_what_it_had(store: BlobStore) -> None:
    blob = store.put(ALICE, b"page", PDF)
    store.begin(ALICE)
    assert store.read(ALICE, blob.name) == b"page"
    (store.folder / "pages" / BOB).rmdir()
    store.begin(BOB)
    assert store.put(BOB, b"page", PDF)


@pytest.mark.parametrize("key", [b"", b"too short", bytes(33), None])
def test_a_session_whose_key_is_damaged_is_named_and_the_others_go_on(store: BlobStore, key: bytes | None) -> None:
    blob, other = store.put(ALICE, b"page", PDF), store.put(BOB, b"page", PDF)
    path = store.folder / "session-keys" / ALICE
    good = path.read_bytes()
    if key is None:
        path.unlink()
    else:
        path.write_bytes(key)
    assert not store.has(ALICE)
    assert store.unreadable() == [ALICE]
    for attempt in (lambda: store.read(ALICE, blob.name), lambda: store.writer(ALICE, PDF), lambda: store.vault(ALICE)):
        with pytest.raises(NotFound if key is None else Damaged):
            attempt()
    assert store.read(BOB, other.name) == b"page"
    path.write_bytes(good)
    assert store.read(ALICE, blob.name) == b"page"
    assert store.unreadable() == []


def damage(sealed: bytes, how: str) -> bytes:
    middle = HEADER_BYTES + 100
    piece = slice(HEADER_BYTES, HEADER_BYTES + SEALED_BYTES)
    match how:
        case "bit flipped":
            return sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :]
        case "header changed":
            return sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]
        case "last piece cut off":
            return sealed[: HEADER_BYTES + 2 * SEALED_BYTES]
        case "torn":
            return sealed[:-5]
        case "emptied":
            return b""
        case "zeroed":
            return bytes(len(sealed))
        case _:
            second = slice(piece.stop, piece.stop + SEALED_BYTES)
            return sealed[: piece.start] + sealed[second] + sealed[piece] + sealed[second.stop :]


@pytest.mark.parametrize(
    "how", ["bit flipped", "header changed", "last piece cut off", "torn", "emptied", "zeroed", "pieces swapped"]
)
def test_a_damaged_file_is_said_to_be_damaged_and_the_others_can_be_read(store: BlobStore, how: str) -> None:
    blob = store.put(ALICE, random.Random(1).randbytes(2 * PIECE_BYTES + 10), PDF)
    other = store.put(ALICE, b"other", PDF)
    path = file_of(store, blob)
    path.write_bytes(damage(path.read_bytes(), how))
    with pytest.raises(Damaged) as told:
        store.read(ALICE, blob.name)
    assert told.value.data == {"blob": blob.name}
    assert store.read(ALICE, other.name) == b"other"


def test_two_files_exchanged_are_noticed(store: BlobStore) -> None:
    one, two = (file_of(store, store.put(ALICE, data, PDF)) for data in (b"one", b"two"))
    one.rename(one.with_name("x")), two.rename(one), one.with_name("x").rename(two)
    with pytest.raises(Damaged):
        store.open(ALICE, one.name)


def test_what_was_not_finished_leaves_nothing(store: BlobStore) -> None:
    with pytest.raises(ZeroDivisionError), store.writer(ALICE, PDF) as writer:
        writer.write(b"half")
        assert store.names(ALICE)
        raise ZeroDivisionError
    assert store.names(ALICE) == {}


def test_files_and_folders_are_for_their_owner_alone(store: BlobStore) -> None:
    store.put(ALICE, b"page", PDF)
    folders = [path for path in store.folder.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o077 for path in folders} == {0}
    assert (store.folder / "session-keys" / ALICE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["../../session-keys/" + ALICE, "", "x", "A" * 32, "." + "a" * 31])
def test_a_name_that_is_no_name_is_not_found(store: BlobStore, name: str) -> None:
    for attempt in (lambda: store.read(ALICE, name), lambda: store.open(name, "a" * 32), lambda: store.end(name)):
        with pytest.raises(NotFound):
            attempt()
    assert not store.has(name)
    assert not store.exists(ALICE, name)


def test_a_full_disk_is_said_and_what_was_kept_before_stays(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        store = BlobStore(tmp_path)
        store.begin(ALICE)
        before = store.put(ALICE, b"before", PDF)
        with pytest.raises(StorageFull):
            store.put(ALICE, random.Random(1).randbytes(8 << 20), PDF)
        assert list(store.names(ALICE)) == [before.name]
        assert store.read(ALICE, before.name) == b"before"
        after = store.put(ALICE, b"after", PDF)
        assert store.read(ALICE, after.name) == b"after"
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_folder_that_cannot_be_written_is_said(store: BlobStore) -> None:
    folder = store.folder / "pages" / ALICE
    blob = store.put(ALICE, b"before", PDF)
    made = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], check=False)
    if made.returncode:
        pytest.skip("a read-only folder cannot be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        with pytest.raises(StorageFailed, match="cannot be written"):
            store.put(ALICE, b"page", PDF)
        assert store.read(ALICE, blob.name) == b"before"
    finally:
        subprocess.run(["umount", folder], check=True)


def test_too_many_open_files_are_said(store: BlobStore) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    opened: list[int] = []
    try:
        with suppress(OSError):
            while True:
                opened.append(os.dup(0))
        with pytest.raises(StorageFailed, match="Too many open files"):
            store.put(ALICE, b"page", PDF)
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert store.put(ALICE, b"page", PDF).size == 4


def test_several_threads_can_keep_the_same_page(store: BlobStore) -> None:
    data = random.Random(3).randbytes(PIECE_BYTES)
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(store.put(ALICE, data, PDF).name)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1
    assert store.read(ALICE, names[0]) == data
