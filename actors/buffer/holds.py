"""Who owns images in the cache, page by page: without it, a copy's image would go with the original."""

from actors.buffer.model import Edit, Model
from bus import Context
from schemas.cache import Claim, Hold, Release
from schemas.errors import ScanbusError

CLAIMED = 12_000
"""Pages whose images can be claimed with one letter."""
HEIRS = 20
"""Images that are handed on one by one; more are claimed at once."""


async def claim(model: Model, ctx: Context) -> None:
    """Have the cache know whose images are whose, and let all others go. Raises ScanbusError.

    Where there are too many pages for a letter, what a crash left stays until the session ends.
    """
    if len(model.entries) <= CLAIMED:
        pages = {page_id: [entry.page.image.blob.name] for page_id, entry in model.entries.items()}
        await ctx.call(Claim(pages=pages))


async def let_go(edit: Edit, model: Model, ctx: Context) -> None:
    """Release what removed pages had, once those that show the same images own them.

    What fails is made good by a claim when the service has been started again.
    """
    try:
        if len(edit.heirs) > HEIRS and len(model.entries) <= CLAIMED:
            await claim(model, ctx)
            return
        for name, heir in edit.heirs.items():
            await ctx.call(Hold(owner=heir, blobs=[name]))
        await ctx.call(Release(owners=list(edit.removed)))
    except ScanbusError as error:
        ctx.log.warning("removed pages still have their images", code=error.code, reason=error.text)
