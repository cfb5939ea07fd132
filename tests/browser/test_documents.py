"""Several documents, tags, damaged pages, and sessions that were left."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from .conftest import ScanPage

SAMPLE_PAGES = 10
STAYS = "return (await scanner.stays()).map(({ session_id }) => session_id);"
OFFERED = "return (await scanner.stays()).filter(({ pages, connected }) => pages && !connected).length;"


def open_scan_page(browser: Browser, service: str) -> ScanPage:
    """The scan page in a browser that was never here."""
    page = browser.new_context(viewport={"width": 1360, "height": 820}).new_page()
    page.goto(f"{service}/scan")
    expect(page.get_by_text("Connected")).to_be_visible()
    return ScanPage(page)


def menu(page: Page, name: str) -> None:
    """Open the menu of that name."""
    page.get_by_role("button", name=name, exact=True).click()


def test_pages_are_moved_into_a_document_of_their_own(scan_page: Any) -> None:
    page: Page = scan_page.page
    scan_page.choose("fast")
    scan_page.scan_all(SAMPLE_PAGES)
    before = scan_page.shown()
    expect(page.locator("#documents")).to_be_hidden()
    scan_page.pages.nth(1).click()
    scan_page.pages.nth(4).click(modifiers=["Control"])
    menu(page, "Documents")
    page.get_by_role("button", name="New document…").last.click()
    page.get_by_label("Name", exact=True).fill("Letters")
    page.keyboard.press("Enter")
    expect(scan_page.pages).to_have_count(2)
    assert scan_page.shown() == [before[1], before[4]]
    expect(page.locator("#documents button")).to_have_text(["Document 1 8", "Letters 2"])
    page.locator("#documents button").first.click()
    expect(scan_page.pages).to_have_count(8)
    scan_page.pages.nth(0).click()
    menu(page, "Documents")
    page.get_by_role("button", name="Letters", exact=True).click()
    expect(scan_page.pages).to_have_count(7)
    expect(page.locator("#documents button")).to_have_text(["Document 1 7", "Letters 3"])

    page.locator("#documents button").last.click()
    menu(page, "Documents")
    page.get_by_role("button", name="Rename…").click()
    page.keyboard.type("Post")
    page.keyboard.press("Enter")
    expect(page.locator("#documents button")).to_have_text(["Document 1 7", "Post 3"])
    scan_page.scan.click()
    expect(scan_page.pages).to_have_count(3 + SAMPLE_PAGES)
    expect(scan_page.scan).to_be_visible()
    menu(page, "Documents")
    page.get_by_role("button", name="Delete with its pages…").click()
    expect(page.get_by_role("dialog")).to_contain_text("13 pages will be destroyed.")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(scan_page.pages).to_have_count(7)
    expect(page.locator("#documents")).to_be_hidden()


def test_tags_are_put_on_pages_shown_alone_and_put_on_what_comes(scan_page: Any) -> None:
    page: Page = scan_page.page
    scan_page.choose("jamming")
    scan_page.scan_until_jam(2)
    scan_page.pages.nth(1).click()
    menu(page, "Tags")
    page.get_by_label("New tag").fill("Bills")
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox", name="Bills")).to_be_checked()
    expect(scan_page.pages.nth(1)).to_have_accessible_name("Page 2, tagged Bills")
    page.get_by_role("combobox", name="New pages get").select_option("Bills")
    page.keyboard.press("Escape")
    scan_page.scan_until_jam(4)
    menu(page, "Tags")
    page.get_by_role("combobox", name="Show", exact=True).select_option("Bills")
    expect(page.locator("#filter")).to_contain_text("Only pages tagged “Bills”.")
    expect(scan_page.pages).to_have_count(3)
    page.keyboard.press("Escape")
    scan_page.pages.nth(0).click()
    menu(page, "Tags")
    page.get_by_role("checkbox", name="Bills").uncheck()
    expect(scan_page.pages).to_have_count(2)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show all").click()
    expect(scan_page.pages).to_have_count(4)
    assert scan_page.ask_client("return (await scanner.pages({ tag: 'Bills' })).length;") == 2


def test_pages_that_were_left_are_offered_and_come_back(browser: Browser, service: str) -> None:
    left = open_scan_page(browser, service)
    left.choose("fast")
    left.scan_all(SAMPLE_PAGES)
    left.pages.nth(2).click()
    left.page.keyboard.press("]")
    expect(left.pages.nth(2)).to_have_accessible_name("Page 3, rotated 90 degrees")
    before = left.shown()
    session = left.ask_client("return scanner.sessionId;")

    other = open_scan_page(browser, service)
    expect(other.page.locator("#empty-title")).to_have_text("No pages yet")
    assert session in other.ask_client(STAYS)
    expect(other.page.locator("#stays li")).to_have_count(other.ask_client(OFFERED))
    left.page.context.close()
    other.page.reload()
    offers = other.page.locator("#stays li")
    expect(offers.first).to_have_text(re.compile(rf"{SAMPLE_PAGES} pages from .*\d\d.* Continue\?"))
    offers.first.get_by_role("button", name="Continue").click()
    expect(other.pages).to_have_count(SAMPLE_PAGES)
    assert other.shown() == before
    expect(other.pages.nth(2)).to_have_accessible_name("Page 3, rotated 90 degrees")
    other.page.reload()
    expect(other.pages).to_have_count(SAMPLE_PAGES)
    other.page.context.close()


def test_pages_that_were_left_are_erased_after_one_question(browser: Browser, service: str) -> None:
    left = open_scan_page(browser, service)
    left.choose("jamming")
    left.scan_until_jam(2)
    session = left.ask_client("return scanner.sessionId;")
    left.page.context.close()
    other = open_scan_page(browser, service)
    offer = other.page.locator("#stays li").first
    expect(offer).to_contain_text("2 pages from")
    offers = other.page.locator("#stays li").count()
    offer.get_by_role("button", name="Erase").click()
    other.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert session in other.ask_client(STAYS)
    offer.get_by_role("button", name="Erase").click()
    other.page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    expect(other.page.locator("#stays li")).to_have_count(offers - 1)
    assert session not in other.ask_client(STAYS)
    other.page.context.close()


def test_a_damaged_page_is_named_and_the_others_are_shown(browser: Browser, service: str, folder: Path) -> None:
    page = browser.new_page()
    page.goto(service)
    script = """async () => {
      const { connect } = await import("/web/scanbus.js");
      const scanner = await connect();
      for await (const page of scanner.scan({ deviceId: "virtual:fast", resolution_dpi: 100, pages: 3 }));
      sessionStorage.setItem("scanbus token", scanner.token);
      return [scanner.sessionId, (await scanner.pages())[1].image.blob.name];
    }"""
    session, name = page.evaluate(script)
    blob = folder / "state" / "pages" / session / name
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    page.goto(f"{service}/scan")
    scan_page = ScanPage(page)
    expect(page.locator("#notice-damaged")).to_contain_text("Page 2 is damaged.")
    expect(scan_page.pages.nth(1)).to_have_accessible_name("Page 2, damaged")
    for index in (0, 2):
        expect(scan_page.pages.nth(index).locator("img")).to_have_js_property("naturalWidth", 240)
    page.close()
