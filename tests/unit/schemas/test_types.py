"""What we tell other languages is what our own messages say."""

import json
from pathlib import Path

from schemas.registry import browser_requests, events
from scripts.make_types import FOLDER, browser_types, json_schema, typescript


def test_the_files_that_pages_get_are_made_from_todays_messages() -> None:
    components = browser_types()
    assert (FOLDER / "scanbus.schema.json").read_text() == json_schema(components), "run `make types`"
    assert (FOLDER / "scanbus.d.ts").read_text() == typescript(components), "run `make types`"


def test_they_hold_everything_that_a_page_may_say_or_hear_and_nothing_else() -> None:
    types = browser_types()
    heard = {tag for tag, kind in events().items() if kind.browser}
    assert browser_requests().keys() | heard | {"bus.failure", "device.started", "device.scanned_page"} <= types.keys()
    assert not {tag for tag in types if tag.startswith(("driver.", "cache.hold"))}


def test_every_reference_leads_somewhere() -> None:
    document = json.loads((FOLDER / "scanbus.schema.json").read_text())
    references = {
        line.split('"')[3] for line in json.dumps(document, indent=0).splitlines() if line.startswith('"$ref"')
    }
    assert references
    assert references <= {f"#/$defs/{name}" for name in document["$defs"]}


def test_a_field_that_is_called_title_is_a_field_like_any_other() -> None:
    assert "title" in browser_types()["pdf.create"]["properties"]
    assert "title?: string" in Path(FOLDER / "scanbus.d.ts").read_text()
