"""What is kept is there tomorrow: after a restart, after a crash, in another session, for a program and for a page."""

from pathlib import Path

import pytest

from scanbus.client import Client, ScannerError
from tests.system.conftest import Service, until

PASSWORD = "open sesame"


def scanned(client: Client, pages: int) -> None:
    assert len(list(client.scan("virtual:fast", source="feeder", pages=pages))) == pages


def test_a_kept_document_outlives_its_session_and_a_restart_of_the_service(service: Service) -> None:
    with service.client() as client:
        scanned(client, 3)
        client.call("buffer.rotate", page_ids=[client.pages()[1]["page_id"]], degrees=90)
        client.call("kept.create", name="letters", password=PASSWORD, metadata={"customer": "A-17"})
        assert client.call("kept.save", name="letters", password=PASSWORD)["pages"] == 3
    assert service.stop() == 0
    assert list((service.folder / "state" / "pages").iterdir()) == []
    service.start()
    with service.client() as client:
        assert [each["name"] for each in client.call("kept.list_kept")["documents"]] == ["letters"]
        with pytest.raises(ScannerError) as refused:
            client.call("kept.load", name="letters", password="open barley")
        assert refused.value.code == "wrong_password"
        assert client.call("kept.load", name="letters", password=PASSWORD)["metadata"] == {"customer": "A-17"}
        assert [page.get("rotation_degrees", 0) for page in client.pages()] == [0, 90, 0]
        assert client.pdf(service.folder / "letters.pdf") == 3
        client.call("kept.remove", name="letters", password=PASSWORD)
        assert client.call("kept.list_kept").get("documents", []) == []
    assert list((service.folder / "state" / "kept").iterdir()) == []


def test_what_was_saved_when_main_is_killed_is_kept_and_nothing_else(service: Service) -> None:
    client = service.client()
    scanned(client, 2)
    client.call("kept.create", name="letters")
    client.call("kept.save", name="letters")
    (folder,) = (service.folder / "state" / "kept").iterdir()
    files = set(folder.iterdir())
    main = service.processes()["main"]
    # As if it had been killed in the middle of the next save.
    (folder / ("0" * 32)).write_bytes(b"a page that was never named")
    service.kill("main")
    until(lambda: service.processes().get("main", main) != main, "main is back")
    until(lambda: set(folder.iterdir()) == files, "what was left over is gone")
    assert client.call("kept.load", name="letters", timeout_s=None).get("damaged", []) == []
    assert len(client.pages()) == 4
    client.close()


def test_neither_names_nor_passwords_nor_metadata_reach_the_log(service: Service) -> None:
    with service.client() as client:
        scanned(client, 1)
        client.call("kept.create", name="canary-a", password="canary-b", metadata={"canary-c": "canary-d"})
        client.call("kept.save", name="canary-a", password="canary-b")
        for name, password in (("canary-a", "canary-e"), ("canary-f", "canary-b"), ("canary-a", "")):
            with pytest.raises(ScannerError):
                client.call("kept.load", name=name, password=password)
    assert service.stop() == 0
    kept = [path for path in Path(service.folder).rglob("*") if path.is_file()]
    assert not [path for path in kept if b"canary" in path.read_bytes()]
