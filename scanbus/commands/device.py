"""`scanbus device`: what a scanner answers, written down for somebody who does not have it."""

import asyncio
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TextIO

import msgspec

from scanbus.commands.asking import asked
from scanbus.commands.letters import count
from scanbus.commands.scan import settings_of
from schemas.config import Config
from schemas.device import Settings
from schemas.driver import Record, Recorded
from schemas.errors import Canceled, Invalid


def record(config: Config, arguments: Namespace) -> None:
    """Describe a scanner, scan with it, and write what it answered; that the scan failed is a result, too.

    Raises ScanbusError, ScannerError where the service does not run, and KeyboardInterrupt; what was written until
    then is kept.
    """
    target: Path = arguments.file
    if target.exists() and not arguments.force:
        raise Invalid(f"{target} exists already: choose another name, or add --force to replace it.")
    if not os.access(target.parent, os.W_OK):
        raise Invalid(f"{target.parent} cannot be written: choose another folder.")
    try:
        settings = msgspec.convert(settings_of(arguments), Settings)
    except msgspec.ValidationError as error:
        raise Invalid(f"The scan cannot be asked for like that: {error}") from error
    try:
        recorded = asyncio.run(_record(config, arguments.device, Record(settings=settings), target))
    except Canceled:
        raise KeyboardInterrupt from None
    failed = f", then: {recorded.fault.text}" if recorded.fault else ""
    print(f"{target}: {count(recorded.pages, 'page')}{failed}", file=sys.stderr)


async def _record(config: Config, device: str, message: Record, target: Path) -> Recorded:
    file: TextIO | None = None
    try:
        async with asked(config, message, device) as stream:
            async for line in stream:
                # Not before the first line: a scanner that cannot be recorded leaves no file.
                file = file or target.open("w", buffering=1, encoding="utf-8")
                file.write(f"{line.text}\n")
            return await stream.reply()
    finally:
        if file is not None:
            file.close()
