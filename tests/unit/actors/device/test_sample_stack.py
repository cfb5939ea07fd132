from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageChops

from actors.device.virtual import SAMPLE_FOLDER
from scripts.make_sample_stack import PAGES, write_stack
from scripts.sample.paper import FONTS
from scripts.sample.tables import INVOICE_NUMBER, PAYMENT_LINK, RECEIPT_NUMBER

A4, RECEIPT, PHOTO = (210, 297), (80, 172), (150, 100)
SIZES_MM = {"09-receipt.jpg": RECEIPT, "10-photo.jpg": PHOTO}


def codes(name: str) -> set[tuple[str, str]]:
    with Image.open(SAMPLE_FOLDER / name) as page:
        return {(str(code.format).replace(" ", ""), code.text) for code in zxingcpp.read_barcodes(page.convert("L"))}


def test_the_codes_on_the_invoice_and_the_receipt_can_be_read() -> None:
    assert codes("02-invoice.jpg") == {("Code128", INVOICE_NUMBER), ("QRCode", PAYMENT_LINK)}
    assert codes("09-receipt.jpg") == {("Code128", RECEIPT_NUMBER)}


def test_the_stack_is_what_the_script_names_and_small_enough_to_ship() -> None:
    files = sorted(SAMPLE_FOLDER.iterdir())
    assert [path.name for path in files] == list(PAGES)
    assert sum(path.stat().st_size for path in files) <= 3_000_000


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_true_size(name: str) -> None:
    with Image.open(SAMPLE_FOLDER / name) as page:
        size_mm = [pixels / dpi * 25.4 for pixels, dpi in zip(page.size, page.info["dpi"], strict=True)]
    assert size_mm == pytest.approx(SIZES_MM.get(name, A4), abs=0.1)


@pytest.mark.skipif(not Path(FONTS).is_dir(), reason="Debian's packages fonts-dejavu-core and -extra are not installed")
def test_the_script_draws_the_pages_that_ship(tmp_path: Path) -> None:
    write_stack(tmp_path)
    for name in PAGES:
        with Image.open(SAMPLE_FOLDER / name) as shipped, Image.open(tmp_path / name) as drawn:
            assert shipped.size == drawn.size
            # Versions of Pillow differ in single pixels; a word that changed shows in squares of eight.
            difference = ImageChops.difference(shipped.convert("L"), drawn.convert("L")).reduce(8)
        assert not any(difference.histogram()[24:]), f"{name} is not what the script draws: run it again"
