"""Small sealed texts that stand twice: without it, one bad sector could cost a document of a thousand pages."""

from pathlib import Path

from actors.kept import NO_DOCUMENT
from bus.durable import storage, write
from bus.vault import Vault
from schemas.errors import Damaged, NotFound


class Copies:
    """One text in two files of a folder; `identity` is what it is, so that it opens nowhere else."""

    def __init__(self, folder: Path, name: str, vault: Vault, identity: str) -> None:
        self.paths = (folder / name, folder / f"{name}.copy")
        self._vault = vault
        self._identity = identity

    def read(self) -> list[bytes]:
        """What each file says that can be read; they differ where a write was interrupted. Raises NotFound, Damaged."""
        found: list[bytes] = []
        failures: list[Damaged] = []
        for path in self.paths:
            try:
                with storage(missing=Damaged(), blob=path.name):
                    found.append(self._vault.unseal(path.read_bytes(), self._identity))
            except Damaged as error:
                failures.append(error)
        if found:
            return found
        if not self.paths[0].parent.exists():
            raise NotFound(NO_DOCUMENT)
        raise failures[0]

    def write(self, text: bytes) -> None:
        """Replace it, durably. Raises NotFound, StorageFull, StorageFailed."""
        sealed = self._vault.seal(text, self._identity)
        for path in self.paths:
            with storage(missing=NotFound(NO_DOCUMENT)):
                write(path, sealed)
