"""`scanbus scan`: from the scanner to a PDF, with what was finished saved whatever happens."""

import json
import os
import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from scanbus.client import STORAGE_FULL, Client, Device, Message, ScannerError
from schemas.errors import Invalid, NotFound


class Display:
    """How far the scan is, on standard error: one line that changes on a terminal, else a line for each page."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = ""

    def progress(self, number: int, fraction: float) -> None:
        """Part of a page has arrived; `fraction` is -1 where the device does not know."""
        if self._terminal:
            self._show(f"Page {number}" + (f": {fraction:.0%}" if fraction >= 0 else " .."))

    def page(self, number: int) -> None:
        """A page is safe."""
        if self._terminal:
            self._show(f"Page {number}: done")
        else:
            self.say(f"Page {number}")

    def paused(self, job: Message) -> bool:
        """The scan waits: ask whether it shall go on, unless it does so by itself."""
        self.say(job["paused"]["text"])
        if job["paused"]["code"] == STORAGE_FULL:
            self.say("The scan goes on by itself once there is room.")
            return True
        print("Press Enter to continue, or type s to stop: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() not in ("s", "stop")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._terminal:
            self._show("")
        print(text, file=sys.stderr)

    def _show(self, text: str) -> None:
        if text != self._shown:
            print(f"\r{text:<{len(self._shown)}}", end="" if text else "\r", file=sys.stderr, flush=True)
            self._shown = text


def scan(client: Client, arguments: Namespace) -> None:
    """Scan into a PDF. Raises ScannerError, and KeyboardInterrupt, after the finished pages have been saved.

    What cannot be saved stays in the session, which is named.
    """
    target = Path(arguments.output)
    if target.exists() and not arguments.force:
        raise Invalid(f"{target} exists already: choose another name, or add --force to replace it.")
    if not os.access(target.parent, os.W_OK):
        raise Invalid(f"{target.parent} cannot be written: choose another folder.")
    settings = settings_of(arguments)
    display = Display()
    began_s = monotonic()
    pages = 0
    trouble: BaseException | None = None
    paused = display.paused if sys.stdin.isatty() else None
    try:
        device_id = arguments.device or _only(client.devices(wait=True))
        try:
            scanned = client.scan(device_id, progress=display.progress, paused=paused, **settings)
            for pages, _ in enumerate(scanned, 1):
                display.page(pages)
        except (ScannerError, KeyboardInterrupt) as error:
            trouble = error
        if trouble is None or client.pages():
            pages = client.pdf(target, overwrite=arguments.force, compression=arguments.compression)
            took_s = monotonic() - began_s
            display.say(f"{target}: {pages} page{'s' if pages != 1 else ''} in {took_s:.1f} s")
            if arguments.json:
                print(json.dumps({"file": str(target), "pages": pages, "took_s": round(took_s, 3)}))
    except BaseException:
        _leave(client, display)
        raise
    client.close()
    if trouble is not None:
        raise trouble


def _leave(client: Client, display: Display) -> None:
    """Something went wrong: say where the pages are, if there are any."""
    with suppress(ScannerError):
        if not client.pages():
            return client.close()
    if client.session_id:
        display.say(f"The pages are kept: scanbus sessions save {client.session_id} FILE.pdf")


def _only(devices: list[Device]) -> str:
    if not devices:
        raise NotFound("No scanner was found: check that it is switched on and connected.")
    if len(devices) > 1:
        listed = "".join(f"\n  {device['device_id']}  {device['name']}" for device in devices)
        raise Invalid(f"There are {len(devices)} scanners: choose one with --device ID.{listed}")
    return devices[0]["device_id"]


def settings_of(arguments: Namespace) -> dict[str, Any]:
    """How to scan, by the names of `Settings`. Raises Invalid."""
    names = ("source", "color", "resolution_dpi", "page_size", "brightness", "contrast", "pages")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    options: dict[str, Any] = {}
    for option in arguments.option:
        name, equals, text = option.partition("=")
        if not equals:
            raise Invalid(f"--option {option}: write it as NAME=VALUE.")
        try:
            options[name] = json.loads(text)
        except ValueError:
            options[name] = text
    return {**given, "options": options} if options else given
