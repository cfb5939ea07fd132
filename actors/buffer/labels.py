"""What images say of themselves: without it, a damaged database would be the end of their pages."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import partial

import msgspec
from msgspec import Struct

from actors.buffer.edits import plan
from actors.buffer.model import Edit, Model, page_id_of
from bus.vault import NAME, Vault
from schemas.buffer import FIRST, Append, Document
from schemas.errors import Damaged, NotFound
from schemas.message import Blob
from schemas.page import Color, Image, Page, PageLabel

SAMPLES = {Color.COLOR: 3, Color.GRAY: 1}


class Labelled(Struct, frozen=True):
    """A scanned image, what its label says, and how long ago it was written, in seconds."""

    image: Image
    label: PageLabel
    age_s: float

    def page(self) -> Page:
        """The page as it came."""
        label = self.label
        page_id = page_id_of(label.job_id, label.number)
        return Page(page_id=page_id, image=self.image, job_id=label.job_id, number=label.number)

    def append(self, model: Model) -> Append:
        """The request that its scan would have made, or made."""
        label = self.label
        before = page_id_of(label.job_id, label.number - 1)
        return Append(
            image=self.image,
            job_id=label.job_id,
            number=label.number,
            document_id=label.document_id,
            # A scan that puts its pages between others goes on after its last one.
            after_page_id=before if label.after_page_id and before in model.entries else label.after_page_id,
        )


def labelled(vault: Vault, known: Collection[str] = ()) -> list[Labelled]:
    """All scanned images whose names are not known; what is damaged is left out. Raises StorageFailed."""
    found = []
    for name in vault.names():
        if not NAME.fullmatch(name) or name in known:
            continue
        # What is no page's image has another label, or none; and it may be gone by now.
        with suppress(NotFound, Damaged, FileNotFoundError, msgspec.MsgspecError):
            label = msgspec.msgpack.decode(vault.label(name), type=PageLabel)
            found.append(Labelled(_image(vault.stat(name), label), label, vault.age_s(name)))
    return found


def missing(model: Model, found: Iterable[Labelled], job_id: str) -> list[Labelled]:
    """What a scan kept after the last page that is known of it, by number, up to the first that is not there.

    Where there are several of a number, it is the one that was written first.
    """
    mine = sorted((each for each in found if each.label.job_id == job_id), key=lambda each: each.age_s)
    numbered = {each.label.number: each for each in mine}
    number = model.last_number(job_id)
    chosen = []
    while (number := number + 1) in numbered:
        chosen.append(numbered[number])
    return chosen


def orphans(model: Model, found: Iterable[Labelled]) -> list[Labelled]:
    """What belongs to no page that there is or was, scan by scan; of several of a number, the one written first."""
    ordered = sorted(found, key=lambda each: (each.label.job_id, each.label.number, -each.age_s))
    numbered = {(each.label.job_id, each.label.number): each for each in reversed(ordered)}
    return [each for each in reversed(numbered.values()) if model.appended(each.append(model)) is None]


def rebuilt(found: Iterable[Labelled]) -> Model:
    """Documents made of labels alone: scans in the order in which they began, their pages by number."""
    model = Model()
    jobs: dict[str, list[Labelled]] = {}
    for each in found:
        jobs.setdefault(each.label.job_id, []).append(each)
    for pages in sorted(jobs.values(), key=lambda pages: -max(each.age_s for each in pages)):
        for each in sorted(pages, key=lambda each: (each.label.number, -each.age_s)):
            document_id = each.label.document_id or FIRST
            if document_id not in model.documents:
                document = Document(document_id=document_id)
                model.apply(Edit(documents={document_id: document}, orders={document_id: []}))
            append = each.append(model)
            if model.appended(append) is None:
                model.apply(plan(model, append, partial(page_id_of, each.label.job_id, each.label.number)))
    return model


def _image(blob: Blob, label: PageLabel) -> Image:
    if blob.size < 0:
        blob = msgspec.structs.replace(blob, size=_pnm_bytes(label))
    return Image(
        blob=blob,
        width_px=label.width_px,
        height_px=label.height_px,
        resolution_dpi=label.resolution_dpi,
        color=label.color,
        back=label.back,
    )


def _pnm_bytes(label: PageLabel) -> int:
    """Bytes of the raw pixels with what stands before them; each line begins with a byte of its own."""
    size = f"P6\n{label.width_px} {label.height_px}\n"
    if label.color is Color.MONO:
        return len(size) + label.height_px * -(-label.width_px // 8)
    return len(f"{size}255\n") + label.height_px * label.width_px * SAMPLES[label.color]
