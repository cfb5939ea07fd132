"""Somebody who scans a stack, and does what the service asks for whatever happens to it meanwhile."""

import random
import threading
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import pypdfium2  # type: ignore[import-untyped]
from PIL import Image

from scanbus.client import Client, Message, ScannerError
from tests.paper import number_on, small_stack
from tests.torture.witness import Seen, Witness, some_edit

PATIENCE_S = 30.0
PAUSE_S = 900
"""How long the scan waits for this person."""
BROKEN_OFF = ("lost", "not_running", "deadline")
"""Codes of calls that a kill may end."""
SAMPLE = 4
"""Pages whose pixels are compared after each kill, besides the newest one."""
IN_A_PDF = 40
UNDER_WAY = 20
"""No more pages than so many can still arrive of a scan whose driver is dead."""
POLL_S = 0.05


class Paper:
    """A stack in the tray of a virtual scanner."""

    def __init__(self, folder: Path, sheets: int) -> None:
        self.folder = small_stack(folder, sheets)
        self.sheets = sheets
        self._fed = folder / ".fed"
        self._digests = [_pixels(file) for file in sorted(folder.glob("*.png"))]

    @property
    def fed(self) -> int:
        """How many sheets have left the tray."""
        return int(self._fed.read_text()) if self._fed.exists() else 0

    def lay_on_top(self, sheet: int) -> None:
        """Put sheets back, so that this one (1 is the first) comes next."""
        self._fed.write_text(str(sheet - 1))

    def is_on(self, sheet: int, picture: bytes) -> bool:
        """Whether a picture shows this sheet, to the last pixel."""
        return _pixels(BytesIO(picture)) == self._digests[sheet - 1]


class Listening(threading.Thread):
    """Hears one scan, until it ends or the connection breaks."""

    def __init__(self, client: Client, witness: Witness, kind: str, **fields: Any) -> None:
        super().__init__(daemon=True)
        self._parts = client.stream(kind, timeout_s=None, **fields)
        self._witness = witness
        self.job_id = ""
        self.began = threading.Event()
        """It is known which scan it is, or that there will be nothing to hear."""

    def run(self) -> None:
        try:
            for part in self._parts:
                self._hear(part)
        except ScannerError as error:
            if error.code not in (*BROKEN_OFF, "canceled"):
                self._witness.wrong.append(f"the scan ended: {error.code} {error}")
        finally:
            self.began.set()

    def _hear(self, part: Message) -> None:
        match part["type"]:
            case "device.started":
                self.job_id = part["job"]["job_id"]
                self.began.set()
            case "device.scanned_page":
                self._witness.tell(part["page"])
            case "device.repeated" if part["number"] > self._witness.top:
                self._witness.wrong.append(f"{part} repeats a page that nobody knows")


class Person:
    """One session with one scan of the whole stack. Whatever is not as promised is raised as AssertionError."""

    def __init__(self, url: str, device_id: str, paper: Paper, chance: random.Random) -> None:
        self.witness = Witness()
        self.history: list[str] = []
        self._began_s = monotonic()
        self._url = url
        self._paper = paper
        self._chance = chance
        self._scan = {
            "device_id": device_id,
            "pause_s": PAUSE_S,
            "settings": {
                "source": "feeder",
                "color": "gray",
                "resolution_dpi": 75,
                # The number of pages says when the scan is complete; without it, the empty tray does.
                "pages": chance.choice([0, paper.sheets]),
            },
        }
        paper.lay_on_top(1)
        self._client = Client(url, timeout_s=PATIENCE_S)
        self._client.call("device.list_jobs")
        self._session_id, self._token = self._client.session_id, self._client.token
        self._listening = self._listen("device.scan", **self._scan)

    def note(self, deed: str) -> None:
        """Something that is told if it goes wrong."""
        self.history.append(f"{monotonic() - self._began_s:.1f} s: {deed}")

    def wait(self, struck: threading.Event) -> bool:
        """Edit pages until the blow falls; gives whether the connection broke."""
        while not struck.wait(self._chance.uniform(0.02, 0.4)):
            if not self.witness.pages:
                continue
            edit = some_edit(self._chance, self.witness.pages)
            try:
                self._client.call(**edit.request)
            except ScannerError as error:
                assert error.code in BROKEN_OFF, f"{edit.request} failed: {error.code} {error}"
                self.witness.edit(edit, certain=False)
                assert struck.wait(PATIENCE_S)
                return True
            self.witness.edit(edit, certain=True)
        return False

    def come_back(self, *, stopped: bool, cut_off: bool) -> bool:
        """After a blow: everything that was told is there, and the scan goes on; False when it is complete.

        `stopped`: the scan cannot have gone on; `cut_off`: nor can anybody have heard more of it.
        """
        self._client = self._same()
        if cut_off:
            self._listening.join(PATIENCE_S)
        self.note("comes back")
        job = self._settled(stopped=stopped, cut_off=cut_off)
        self.note("knows what is left of the scan")
        self.witness.look(self._client.pages)
        self._compare([*self.witness.pages[-1:], *self._some(SAMPLE)])
        if job is None:
            self._listening = self._listen("device.scan", **self._scan)
            return True
        if job["state"] != "running":
            assert job["state"] == "completed", f"the scan ended: {job}"
            return False
        if job.get("paused"):
            self._check(job)
        if self.witness.top == self._paper.sheets:
            return False
        if not self._listening.is_alive():
            self._listening = self._listen("device.follow", job_id=job["job_id"])
        if job.get("paused"):
            self._go_on(job)
        return True

    def finish(self) -> None:
        """The stack is through: it is there to the last page and pixel."""
        (job,) = self._jobs()
        if job["state"] == "running":
            # Only a person can know that there is no sheet after the last one which may have been fed.
            job = self._client.call("device.stop", job_id=job["job_id"])["job"]
        self.witness.look(self._client.pages)
        assert job["pages"] == self.witness.top == self._paper.sheets, f"{self.witness.top} pages, and {job}"
        self._compare(self.witness.pages)
        self._client.close()

    def hear_out(self) -> None:
        """Wait until the stack is through."""
        self._listening.join(PATIENCE_S + self._paper.sheets / 5)
        assert not self._listening.is_alive(), f"it does not end after page {self.witness.top}"

    def make_pdf(self, target: Path) -> str:
        """A PDF of some pages, whole, or else no file at all; gives the code of what kept it from being made."""
        pages = self._some(IN_A_PDF)
        if not pages:
            return "no_pages"
        compression = self._chance.choice(["jpeg", "lossless"])
        try:
            self._same().pdf(target, page_ids=[page.page_id for page in pages], compression=compression)
        except ScannerError as error:
            assert not target.exists(), "there is a file, and an error"
            return error.code
        numbers = _numbers_in(target)
        target.unlink()
        assert numbers == [page.number for page in pages], f"a PDF of {pages} has {numbers}"
        return ""

    def _settled(self, *, stopped: bool, cut_off: bool) -> Message | None:
        """The scan, once it is known what is left of it; None where it never began."""
        deadline_s = monotonic() + PATIENCE_S
        before = -1
        while True:
            jobs = self._jobs()
            assert len(jobs) <= 1, jobs
            if not jobs:
                assert not self._listening.job_id, "a scan that had begun is forgotten"
                return None
            (job,) = jobs
            if not stopped or job.get("paused") or job["state"] != "running":
                return job
            before = job.get("pages", 0) if before < 0 else before
            if not cut_off and job.get("pages", 0) > before + UNDER_WAY:
                # The device's process was killed before it was asked to scan.
                return job
            assert monotonic() < deadline_s, f"the scan does not notice that it was broken off: {job}"
            sleep(POLL_S)

    def _check(self, job: Message) -> None:
        """What a scan that waits says about its paper."""
        kept, fed, gap = self.witness.top, self._paper.fed, job.get("gap", 0)
        assert job.get("pages", 0) == kept, f"there are {kept} pages: {job}"
        assert gap in (0, kept + 1), f"page {kept + 1} is the next one: {job}"
        assert gap or fed <= kept, f"{fed} sheets were fed: {job}"
        assert not gap or str(gap) in job["paused"]["text"], job

    def _go_on(self, job: Message) -> None:
        """Put back what the scan asks for, at times with a few good sheets, and go on."""
        kept = self.witness.top
        there = {page.number for page in self.witness.pages}
        good = self._chance.randint(0, 2)
        # One that was removed meanwhile would be a new page.
        while not there.issuperset(range(kept + 1 - good, kept + 1)):
            good -= 1
        told = self._chance.choice([-1, good])
        self._paper.lay_on_top(kept + 1 - good)
        self.note(f"goes on with {good} good sheets (told {told})")
        self._client.call("device.resume", job_id=job["job_id"], put_back=told)

    def _same(self) -> Client:
        """A new connection to the same session, as after a reload."""
        for last in (False, True):
            client = Client(self._url, token=self._token, timeout_s=PATIENCE_S)
            try:
                client.call("device.list_jobs")
            except ScannerError as error:
                # A kill takes a moment: the first connection may still have reached who dies.
                if last or error.code != "lost":
                    raise
        assert client.session_id == self._session_id, "the token opens another session"
        return client

    def _listen(self, kind: str, **fields: Any) -> Listening:
        listening = Listening(self._client, self.witness, kind, **fields)
        listening.start()
        assert listening.began.wait(PATIENCE_S), f"{kind} is not answered"
        return listening

    def _jobs(self) -> list[Message]:
        jobs: list[Message] = self._client.call("device.list_jobs")["jobs"]
        return jobs

    def _some(self, count: int) -> list[Seen]:
        pages = self.witness.pages
        return self._chance.sample(pages, min(count, len(pages)))

    def _compare(self, pages: Iterable[Seen]) -> None:
        for page in pages:
            url = f"{self._url}/v1/sessions/{self._session_id}/documents/{page.image}"
            with urlopen(url, timeout=PATIENCE_S) as response:
                assert self._paper.is_on(page.number, response.read()), f"{page} shows something else"


def _numbers_in(target: Path) -> list[int]:
    with pypdfium2.PdfDocument(target) as document:
        pictures = (next(page.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])) for page in document)
        return [number_on(picture.get_bitmap().to_pil()) for picture in pictures]


def _pixels(file: Path | BytesIO) -> str:
    with Image.open(file) as picture:
        return sha256(picture.tobytes()).hexdigest()
