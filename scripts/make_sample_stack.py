"""Draws the paper of the virtual scanner: `python -m scripts.make_sample_stack [FOLDER]`, from the checkout.

Needs Debian's packages fonts-dejavu-core and -extra, and the package zxing-cpp (dependency group `test`); the same
versions of Pillow and zxing-cpp draw the same pixels every time.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from scripts.sample.paper import RESOLUTION_DPI
from scripts.sample.photo import photo
from scripts.sample.prose import article, blank, letter, skewed
from scripts.sample.tables import form_back, form_front, invoice, receipt, upside_down

FOLDER = Path(__file__).parent.parent / "actors" / "device" / "sample"

PAGES: dict[str, Callable[[], Image.Image]] = {
    "01-letter.jpg": letter,
    "02-invoice.jpg": invoice,
    "03-form-front.jpg": form_front,
    "04-form-back.png": form_back,
    "05-article.jpg": article,
    "06-blank.jpg": blank,
    "07-skewed.jpg": skewed,
    "08-upside-down.jpg": upside_down,
    "09-receipt.jpg": receipt,
    "10-photo.jpg": photo,
}
"""In feeding order, fronts and backs in turn."""


def write_stack(folder: Path) -> None:
    """Draw every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        dpi = (RESOLUTION_DPI, RESOLUTION_DPI)
        if name.endswith(".png"):
            page().save(folder / name, dpi=dpi, optimize=True)
        else:
            page().save(folder / name, dpi=dpi, quality=72, optimize=True)


if __name__ == "__main__":
    write_stack(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
