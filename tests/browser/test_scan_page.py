import re
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from playwright.sync_api import Page, expect

SAMPLE_PAGES = 10
PLACES = """(() => {
  const boxes = [...document.querySelectorAll("#thumbnails li")].map((item) => item.getBoundingClientRect());
  const different = (name) => new Set(boxes.map((box) => Math.round(box[name]))).size;
  return { columns: different("left"), widths: different("width") };
})()"""
"""How many columns the thumbnails are in, and how many widths they have."""
EMPTY = "The feeder is empty. Load paper and press Scan."


def sizes_seen(scan_page: Any) -> list[tuple[float, float]]:
    """Width and height in points of each page, from what the viewer says of its pixels."""
    sizes = []
    for number, thumbnail in enumerate(scan_page.pages.all(), 1):
        thumbnail.click()
        expect(scan_page.page.locator("#view-number")).to_have_text(f"{number} / {scan_page.pages.count()}")
        found = re.search(r"(\d+) dpi, (\d+) . (\d+) pixels", scan_page.facts.inner_text())
        assert found
        dpi, width, height = map(int, found.groups())
        sizes.append((width / dpi * 72, height / dpi * 72))
    return sizes


def sizes_in(path: Path) -> list[tuple[float, float]]:
    """Width and height in points of each page of a PDF, as a reader shows it."""
    sizes = []
    with pikepdf.open(path) as pdf:
        for page in pdf.pages:
            left, bottom, right, top = map(float, page.mediabox)
            size = (right - left, top - bottom)
            sizes.append(size if int(page.get("/Rotate", 0)) % 180 == 0 else size[::-1])
    return sizes


def test_pages_appear_while_the_scan_runs_and_cancel_keeps_them(scan_page: Any) -> None:
    scan_page.choose("slow")
    scan_page.scan.click()
    for count in (1, 2, 3):
        expect(scan_page.pages).to_have_count(count)
        expect(scan_page.page.locator("#progress-text")).to_have_text(f"Scanning page {count + 1}")
        expect(scan_page.page.locator("#announcer")).to_have_text(f"Page {count} scanned")
    expect(scan_page.pages.locator("img").first).to_have_js_property("complete", True)
    assert scan_page.pages.locator("img").first.evaluate("image => image.naturalWidth") == 240
    scan_page.page.keyboard.press("Escape")
    expect(scan_page.page.get_by_text("The scan was canceled.")).to_be_visible()
    kept = scan_page.pages.count()
    assert 3 <= kept <= 4
    expect(scan_page.page.locator("#notices")).to_contain_text(f"{kept} pages are kept.")
    expect(scan_page.scan).to_be_enabled()


def test_a_stack_is_arranged_and_saved_as_it_is_seen(scan_page: Any, tmp_path: Path) -> None:
    scan_page.choose("fast")
    scan_page.scan_all(SAMPLE_PAGES)
    page: Page = scan_page.page
    before = scan_page.shown()

    scan_page.pages.nth(0).drag_to(scan_page.pages.nth(2), target_position={"x": 120, "y": 90})
    moved = [before[1], before[2], before[0], *before[3:]]
    expect(scan_page.pages.nth(2)).to_have_attribute("data-page", re.compile(before[0].split("/")[-2]))
    assert scan_page.shown() == moved

    scan_page.pages.nth(0).click()
    page.get_by_role("button", name="Rotate right", exact=True).click()
    expect(scan_page.pages.nth(0)).to_have_accessible_name("Page 1, rotated 90 degrees")
    turned = scan_page.pages.nth(0).locator("img")
    turned.evaluate("image => image.decode()")
    assert turned.evaluate("image => image.naturalWidth > image.naturalHeight")

    scan_page.pages.nth(4).click()
    page.get_by_role("button", name="Delete").click()
    expect(scan_page.pages).to_have_count(SAMPLE_PAGES - 1)
    assert scan_page.shown() == moved[:4] + moved[5:]

    seen = sizes_seen(scan_page)
    page.get_by_role("button", name="Save as PDF").click()
    page.get_by_label("File name").fill("My stack")
    path = scan_page.save(page.get_by_role("button", name="Save", exact=True).click, tmp_path)
    assert path.name == "My stack.pdf"
    expect(page.get_by_text("My stack.pdf is in your downloads.")).to_be_visible()
    assert len(seen) == SAMPLE_PAGES - 1
    assert seen[0][0] != pytest.approx(seen[0][1], abs=1)
    for in_file, on_screen in zip(sizes_in(path), seen, strict=True):
        assert in_file == pytest.approx(on_screen, abs=0.01)


def test_a_deleted_page_comes_back_when_it_is_asked_for(scan_page: Any) -> None:
    scan_page.choose("jamming")
    scan_page.scan_until_jam(2)
    before = scan_page.shown()
    scan_page.page.keyboard.press("Control+a")
    scan_page.page.keyboard.press("Delete")
    expect(scan_page.pages).to_have_count(0)
    scan_page.page.get_by_role("button", name="Undo").click()
    expect(scan_page.pages).to_have_count(2)
    assert scan_page.shown() == before


def test_sane_s_test_device_feeds_its_color_pattern(scan_page: Any, tmp_path: Path) -> None:
    scan_page.choose("frontend-tester (test:0)")
    page: Page = scan_page.page
    page.get_by_text("More options").click()
    page.get_by_label("Select the test picture").select_option(label="Color pattern")
    scan_page.scan_all(10)
    seen = sizes_seen(scan_page)
    page.keyboard.press("Control+s")
    page.get_by_role("radio", name="Lossless").check()
    path = scan_page.save(page.get_by_role("button", name="Save", exact=True).click, tmp_path)
    assert sizes_in(path) == [pytest.approx(size, abs=0.01) for size in seen]
    with pikepdf.open(path) as pdf:
        picture = pikepdf.PdfImage(next(iter(pdf.pages[9].get_images().values()))).as_pil_image()
    assert len(picture.convert("RGB").getcolors(1 << 20)) > 2


def test_an_empty_feeder_is_said_as_the_service_wrote_it(scan_page: Any) -> None:
    scan_page.choose("empty")
    scan_page.scan.click()
    expect(scan_page.page.get_by_role("alert")).to_have_text(EMPTY + " Scan again")
    scan_page.page.get_by_role("button", name="Dismiss").click()
    expect(scan_page.page.get_by_role("alert")).to_have_count(0)
    scan_page.page.get_by_role("radio", name="Glass").check()
    scan_page.scan_all(1)


def test_a_reload_in_the_middle_of_a_scan_loses_nothing(scan_page: Any) -> None:
    scan_page.choose("slow")
    scan_page.scan.click()
    expect(scan_page.pages).to_have_count(2)
    before = scan_page.shown()
    scan_page.page.reload()
    expect(scan_page.cancel).to_be_visible()
    expect(scan_page.pages).to_have_count(4)
    assert scan_page.shown()[:2] == before[:2]
    scan_page.cancel.click()
    expect(scan_page.scan).to_be_enabled()
    expect(scan_page.page.get_by_role("combobox", name="Scanner")).to_have_value(re.compile("slow"))


def test_everything_can_be_done_with_the_keyboard(scan_page: Any, tmp_path: Path) -> None:
    scan_page.choose("fast")
    page: Page = scan_page.page
    page.keyboard.press("Control+Enter")
    expect(scan_page.pages).to_have_count(SAMPLE_PAGES)
    expect(scan_page.scan).to_be_visible()
    before = scan_page.shown()
    for _ in range(40):
        if page.evaluate("document.activeElement.getAttribute('role')") == "option":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Home")
    expect(scan_page.pages.nth(0)).to_be_focused()
    page.keyboard.press("Control+ArrowRight")
    expect(page.locator("#announcer")).to_have_text(f"Moved to place 2 of {SAMPLE_PAGES}")
    assert scan_page.shown() == [before[1], before[0], *before[2:]]
    page.keyboard.press("]")
    expect(scan_page.pages.nth(1)).to_have_accessible_name("Page 2, rotated 90 degrees")
    page.keyboard.press("End")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Delete")
    expect(scan_page.pages).to_have_count(SAMPLE_PAGES - 2)
    page.keyboard.press("Control+s")
    expect(page.get_by_label("File name")).to_be_focused()
    page.keyboard.type("By hand")
    path = scan_page.save(lambda: page.keyboard.press("Enter"), tmp_path)
    assert path.name == "By hand.pdf"
    assert len(sizes_in(path)) == SAMPLE_PAGES - 2


def test_the_page_fits_a_narrow_screen(scan_page: Any) -> None:
    scan_page.page.set_viewport_size({"width": 320, "height": 640})
    scan_page.choose("fast")
    scan_page.scan.click()
    expect(scan_page.page.locator("#count")).to_have_text(f"{SAMPLE_PAGES} pages")
    expect(scan_page.scan).to_be_visible()
    for width, columns in ((320, 2), (800, 3), (320, 2)):
        scan_page.page.set_viewport_size({"width": width, "height": 640})
        scan_page.page.wait_for_function(f"() => {PLACES}.columns === {columns}")
        assert scan_page.page.evaluate(f"{PLACES}.widths") == 1
    assert scan_page.page.evaluate("document.documentElement.scrollWidth") == 320
    scan_page.page.locator("#thumbnails").evaluate("list => list.scrollIntoView()")
    scan_page.page.locator("[aria-posinset='2']").dblclick()
    expect(scan_page.page.get_by_role("img", name="Page 2")).to_be_in_viewport()
    scan_page.page.get_by_role("button", name="Close the viewer").click()
    expect(scan_page.page.get_by_role("img", name="Page 2")).not_to_be_visible()


def test_the_welcome_page_says_what_runs(page: Page, service: str) -> None:
    page.goto(service)
    expect(page.get_by_text("Everything works.")).to_be_visible()
    expect(page.locator("#scanners")).to_contain_text("fast")
    expect(page.locator("#services li", has_text="device")).to_contain_text("ready")
    page.get_by_role("link", name="Scan", exact=True).click()
    expect(page.get_by_role("button", name="Scan", exact=True)).to_be_enabled()
