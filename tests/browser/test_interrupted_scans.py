"""What a person sees and does when the paper, the scanner or the service stops in the middle."""

import os
import re
import signal
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, expect

from .conftest import ScanPage, Tray

SAMPLE_PAGES = 10


def numbers(scan_page: Any) -> list[int]:
    """Which page of its scan each page is."""
    found: list[int] = scan_page.ask_client("return (await scanner.pages()).map(({ number }) => number);")
    return found


def test_a_jam_is_cleared_and_the_scan_goes_on_without_a_gap(scan_page: Any, tray: Callable[[str], Tray]) -> None:
    paper = tray("jam once")
    page = scan_page.page
    scan_page.choose("jam once")
    scan_page.scan.click()
    notice = page.locator("#notice-pause")
    expect(notice).to_contain_text("Paper is jammed in the feeder. Page 3 was not kept.")
    expect(notice.locator("figcaption")).to_have_text(["Page 1", "Page 2"])
    expect(notice.locator("img").last).to_have_js_property("naturalWidth", 160)
    expect(page.locator("#progress-text")).to_have_text("Paused")
    expect(scan_page.pages).to_have_count(2)
    paper.put_back(1)
    notice.get_by_role("button", name="Continue").click()
    expect(scan_page.pages).to_have_count(SAMPLE_PAGES)
    expect(scan_page.scan).to_be_visible()
    expect(notice).to_have_count(0)
    assert numbers(scan_page) == list(range(1, SAMPLE_PAGES + 1))


def test_sheets_that_were_kept_and_put_back_are_not_kept_twice(scan_page: Any, tray: Callable[[str], Tray]) -> None:
    paper = tray("double")
    page = scan_page.page
    scan_page.choose("double")
    scan_page.scan.click()
    expect(page.locator("#notice-pause")).to_contain_text("Two sheets went through at once.")
    kept = scan_page.pages.count()
    paper.put_back(kept)
    page.get_by_role("button", name="Continue").click()
    expect(scan_page.scan).to_be_visible()
    expect(page.locator("#notices")).to_contain_text(re.compile(r"pages? (were|was) here already"))
    assert numbers(scan_page) == list(range(1, SAMPLE_PAGES + 1))


def test_a_jam_waits_over_a_reload(scan_page: Any, tray: Callable[[str], Tray]) -> None:
    paper = tray("jam once")
    scan_page.choose("jam once")
    scan_page.scan.click()
    expect(scan_page.page.locator("#notice-pause")).to_be_visible()
    scan_page.page.reload()
    expect(scan_page.page.locator("#notice-pause")).to_contain_text("Page 3 was not kept.")
    expect(scan_page.pages).to_have_count(2)
    paper.put_back(1)
    scan_page.page.get_by_role("button", name="Continue").click()
    expect(scan_page.pages).to_have_count(SAMPLE_PAGES)


def test_a_jam_can_be_the_end_and_what_was_kept_stays(scan_page: Any) -> None:
    scan_page.choose("jamming")
    scan_page.scan_until_jam(2)
    expect(scan_page.page.locator("#notices")).to_contain_text("2 pages are kept.")


def test_a_driver_that_dies_costs_what_was_not_kept_which_is_named(scan_page: Any, tray: Callable[[str], Tray]) -> None:
    paper = tray("dying")
    scan_page.choose("dying")
    scan_page.scan.click()
    notice = scan_page.page.locator("#notice-pause")
    expect(notice).to_contain_text("was not kept. Put that sheet")
    # The pages before it may have been on their way to the disk.
    kept = scan_page.pages.count()
    expect(notice).to_contain_text(f"Page {kept + 1} was not kept.")
    paper.put_back(paper.fed() - kept)
    notice.get_by_role("button", name="Continue").click()
    expect(scan_page.pages).to_have_count(SAMPLE_PAGES)
    expect(scan_page.scan).to_be_visible()
    assert numbers(scan_page) == list(range(1, SAMPLE_PAGES + 1))


def test_the_page_comes_back_when_the_service_was_killed(
    browser: Browser, service: str, tray: Callable[[str], Tray], main_process: Callable[[], int]
) -> None:
    paper = tray("steady")
    page = browser.new_page()
    page.goto(f"{service}/scan")
    scan_page = ScanPage(page)
    scan_page.choose("steady")
    scan_page.scan.click()
    expect(scan_page.pages).to_have_count(3)
    before = scan_page.shown()
    os.kill(main_process(), signal.SIGKILL)
    expect(page.locator("#connection")).to_have_text("Reconnecting…")
    expect(page.locator("#connection")).to_have_text("Connected")
    notice = page.locator("#notice-pause")
    expect(notice).to_contain_text("was not kept. Put that sheet")
    kept = scan_page.pages.count()
    assert scan_page.shown()[:3] == before[:3]
    expect(notice).to_contain_text(f"Page {kept + 1} was not kept.")
    paper.put_back(paper.fed() - kept)
    notice.get_by_role("button", name="Continue").click()
    expect(scan_page.pages).to_have_count(SAMPLE_PAGES)
    expect(scan_page.scan).to_be_visible()
    assert numbers(scan_page) == list(range(1, SAMPLE_PAGES + 1))
    page.close()
