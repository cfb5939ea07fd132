"""`scanbus trace replay` on what a running service recorded."""

from tests.system.conftest import Service
from tests.system.test_trace import recording

PLAYED = ("buffer", "cache", "device", "driver/virtual", "driver/virtual:fast", "image", "pdf")


def test_what_a_running_service_recorded_plays_as_it_was_and_a_change_is_told(service: Service) -> None:
    # Whoever leaves takes the pages along: not before they are copied.
    with service.client() as client, recording(service, "scan.jsonl", "--blobs"):
        assert len(list(client.scan("virtual:fast", source="feeder", pages=2, resolution_dpi=75))) == 2
        client.pdf(service.folder / "scan.pdf")
    for name in PLAYED:
        played = service.run("trace", "replay", "scan.jsonl", "--service", name)
        assert (played.returncode, played.stderr) == (0, ""), played.stdout
        assert played.stdout == f"{name}: as it was\n"
    text = (service.folder / "scan.jsonl").read_text()
    (service.folder / "other.jsonl").write_text(text.replace('"pages":2', '"pages":3'))
    (service.folder / "scan.blobs").rename(service.folder / "other.blobs")
    played = service.run("trace", "replay", "other.jsonl", "--service", "pdf")
    assert played.returncode == 1
    assert "    body.pages: 3 -> 2\n" in played.stdout
    assert played.stderr == "scanbus: 2 differences from what was said then.\n"
    played = service.run("trace", "replay", "scan.jsonl", "--service", "ocr")
    assert played.returncode == 2
    assert "There are: buffer, cache, device, driver/" in played.stderr
