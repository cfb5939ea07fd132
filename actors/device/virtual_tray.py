"""The virtual feeder's tray: without it, all paper would lie in the feeder again at each scan."""

import os
from pathlib import Path

from actors.device.virtual_fault import Fault
from schemas.errors import DriverFailed


class Tray:
    """Remembers below `folder` how many sheets were fed, across scans and processes.

    `.fed` holds their number: whoever writes a smaller one puts sheets back, whoever deletes it fills the tray again.
    """

    def __init__(self, folder: Path) -> None:
        self._fed = folder / ".fed"
        self._struck = folder / ".struck"

    def fed(self) -> int:
        """How many sheets were fed. Raises DriverFailed where the file holds no number."""
        try:
            return int(self._fed.read_text())
        except FileNotFoundError:
            self._struck.unlink(missing_ok=True)
            return 0
        except (OSError, ValueError) as error:
            raise DriverFailed(
                "The file .fed in the virtual scanner's folder holds no number. Delete it to fill the tray."
            ) from error

    def pick(self, sheet: int) -> None:
        """Note that this sheet (1 is the first) leaves the tray. Raises DriverFailed."""
        self._write(self._fed, str(sheet))

    def once(self, fault: Fault) -> Fault:
        """The fault, or none where it struck since the tray was full: a sheet that was put back goes through."""
        name = f"{fault.name}@{fault.page}"
        if self._struck.exists() and self._struck.read_text() == name:
            return Fault()
        self._write(self._struck, name)
        return fault

    def _write(self, path: Path, text: str) -> None:
        part = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            part.write_text(text)
            part.replace(path)
        except OSError as error:
            raise DriverFailed(
                f"The virtual scanner cannot write {path.name} in its folder ({error.strerror}). Let it write there."
            ) from error
