import json
import logging

import pytest
import structlog

from scanbus import logs
from schemas.config import LogConfig


@pytest.mark.parametrize("key", ["token", "authorization", "filename", "text"])
def test_what_may_be_secret_does_not_reach_the_log(key: str) -> None:
    assert logs.hide(None, "info", {"event": "x", key: "hunter2"})[key] == "(hidden)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://127.0.0.1:1/a?token=hunter2", "http://127.0.0.1:1/a?(hidden)"),
        ("see https://me:hunter2@host/a?b#c now", "see https://host/a?(hidden) now"),
        ("https://me:hunter2@host/a", "https://host/a"),
        ("ipc:///run/bus", "ipc:///run/bus"),
    ],
)
def test_an_address_loses_its_password_and_its_query(value: str, shown: str) -> None:
    assert logs.hide(None, "info", {"event": "x", "url": value})["url"] == shown


def test_every_line_names_its_process_those_of_libraries_too(capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:], logging.root.level
    try:
        logs.configure(LogConfig(json=True), "pdf")
        structlog.get_logger().info("made", pages=3)
        logging.getLogger("library").warning("%s happened", "it")
        logging.getLogger("library").info("not told")
        structlog.get_logger().debug("not told")
    finally:
        logging.root.handlers, logging.root.level = before[0], before[1]
        structlog.reset_defaults()
    first, second = (json.loads(text) for text in capfd.readouterr().err.splitlines())
    assert (first["process"], first["event"], first["pages"], first["level"]) == ("pdf", "made", 3, "info")
    assert (second["process"], second["event"]) == ("pdf", "it happened")
