"""What is left of a scan after a crash: without it, pages on disk that nobody was told of would be forgotten."""

from bus import Context
from schemas.buffer import ListPages, Rescue
from schemas.device import Job
from schemas.driver import Settle
from schemas.errors import ScanbusError
from schemas.page import Page

REMEMBERED = 12
"""The last pages of a scan that sheets which are put back are compared with."""


async def rescued(job: Job, ctx: Context) -> tuple[list[Page], int]:
    """The pages that were kept but not acknowledged, now appended, and how many the scan has then."""
    try:
        # A driver that outlived us is told to stop, and takes this up once it has.
        await ctx.call(Settle(), instance=job.device_id)
    except ScanbusError as error:
        ctx.log.warning("the driver did not come to rest", code=error.code, reason=error.text)
    try:
        found = await ctx.call(Rescue(job_id=job.job_id))
    except ScanbusError as error:
        ctx.log.warning("pages could not be rescued", code=error.code, reason=error.text)
        return [], job.pages
    return found.pages, found.last_number


async def recent(job: Job, ctx: Context) -> list[Page]:
    """The last pages of the scan that are still in its document, by number."""
    found: list[Page] = []
    start, total = 0, 1
    try:
        while start < total:
            listed = await ctx.call(ListPages(document_id=job.document_id, start=start))
            found += [page for page in listed.pages if page.job_id == job.job_id]
            start, total = start + max(1, len(listed.pages)), listed.total
    except ScanbusError as error:
        ctx.log.info("earlier pages cannot be compared", code=error.code, reason=error.text)
    return sorted(found, key=lambda page: page.number)[-REMEMBERED:]
