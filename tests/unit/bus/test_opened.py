"""Keys that outlive a reboot, or do not, as the settings ask."""

from pathlib import Path

import pytest

from bus.opened import destroy_volatile, open_store
from schemas.config import CacheConfig, Config
from schemas.errors import Denied, NotFound, Unsupported
from tests.disks import small_disk

SESSION, LATER = "a" * 32, "b" * 32


def config_for(folder: Path, *, volatile: bool) -> Config:
    return Config(
        state_folder=str(folder / "state"), runtime_folder=str(folder / "run"), cache=CacheConfig(volatile=volatile)
    )


@pytest.mark.parametrize("volatile", [False, True])
def test_keys_are_on_the_disk_unless_they_shall_be_volatile(tmp_path: Path, volatile: bool) -> None:
    config = config_for(tmp_path, volatile=volatile)
    with small_disk(tmp_path / "run", size_kb=256):
        store = open_store(config)
        store.begin(SESSION)
        blob = store.put(SESSION, b"page", "image/jpeg")
        assert [path for path in (tmp_path / "state").rglob(SESSION) if path.is_file()] == (
            [] if volatile else [tmp_path / "state" / "session-keys" / SESSION]
        )
        assert {path.stat().st_mode & 0o077 for path in tmp_path.rglob(SESSION)} == {0}
        assert open_store(config).read(SESSION, blob.name) == b"page", "after a crash of the process"
    again = open_store(config_for(tmp_path, volatile=False))
    assert again.has(SESSION) is not volatile, "after a reboot"
    assert again.unreadable() == ([SESSION] if volatile else [])


def test_after_a_clean_stop_volatile_sessions_are_gone_and_the_others_are_not(tmp_path: Path) -> None:
    with small_disk(tmp_path / "run", size_kb=256):
        stay, go = config_for(tmp_path, volatile=False), config_for(tmp_path, volatile=True)
        open_store(stay).begin(SESSION)
        kept = open_store(stay).put(SESSION, b"page", "image/jpeg")
        store = open_store(go)
        store.begin(LATER)
        assert store.sessions() == [SESSION, LATER]
        destroy_volatile(go)
        store = open_store(go)
        assert store.unreadable() == [LATER]
        assert store.read(SESSION, kept.name) == b"page"
        with pytest.raises(NotFound):
            store.put(LATER, b"page", "image/jpeg")
        destroy_volatile(stay)
        assert store.has(SESSION)


def test_without_a_memory_file_system_keys_are_not_said_to_be_volatile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.opened._SHARED_MEMORY", tmp_path)
    with pytest.raises(Unsupported, match="mount one there, or set"):
        open_store(config_for(tmp_path, volatile=True))


def test_a_folder_that_somebody_else_made_there_is_not_used(tmp_path: Path) -> None:
    with small_disk(tmp_path / "run", size_kb=256) as memory:
        config = config_for(tmp_path, volatile=True)
        open_store(config)
        (mine,) = memory.iterdir()
        mine.rmdir()
        mine.symlink_to(tmp_path)
        with pytest.raises(Denied):
            open_store(config)
