"""A thousand pages, and ten thousand: the scan page stays fluent."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

DROP_LIMIT_MS = 100
"""From the drop until the new order is on the screen."""
DROPS = 5
FILL = """
  const [count] = given;
  let ids = (await scanner.pages()).map(({ page_id }) => page_id);
  while (ids.length < count) {
    const more = ids.slice(0, Math.min(ids.length, 1000, count - ids.length));
    ids = ids.concat(await scanner.copy(more, ids.length));
  }
"""
TIMED = """() => {
  window.took = new Promise((resolve) => {
    document.addEventListener("drop", () => {
      const began = performance.now();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    }, { capture: true, once: true });
  });
}"""
SCROLL = """share => {
  const sheets = document.querySelector(".sheets");
  sheets.scrollTop = share * (sheets.scrollHeight - sheets.clientHeight);
}"""
MIDDLE = """() => {
  const box = document.querySelector(".sheets").getBoundingClientRect();
  const far = (item) => {
    const { top, height } = item.getBoundingClientRect();
    return Math.abs(top + height / 2 - box.top - box.height / 2);
  };
  const items = [...document.querySelectorAll("#thumbnails [data-page]")].sort((a, b) => far(a) - far(b));
  return far(items[0]) < 200 && [Number(items[0].getAttribute("aria-posinset")), items[0].dataset.page];
}"""
ORDER = "() => [...document.querySelectorAll('#thumbnails [data-page]')].map((item) => item.dataset.page)"


def fill(scan_page: Any, count: int) -> list[str]:
    """Scan one page and copy it until there are so many; gives their ids in order."""
    page: Page = scan_page.page
    scan_page.choose("fast")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Stop after pages").fill("1")
    scan_page.scan_all(1)
    scan_page.ask_client(FILL, count)
    expect(page.locator("#count")).to_contain_text(f"{count} page")
    return ids_kept(scan_page)


def ids_kept(scan_page: Any) -> list[str]:
    """What the service has, asked apart from the scan page."""
    ids: list[str] = scan_page.ask_client("return (await scanner.pages()).map(({ page_id }) => page_id);")
    return ids


def select(scan_page: Any, first: int, last: int) -> None:
    """Select the pages from index `first` to `last`, both included, by clicks."""
    scan_page.page.locator(f"[aria-posinset='{first + 1}']").click()
    scan_page.page.locator(f"[aria-posinset='{last + 1}']").click(modifiers=["Shift"])


@pytest.mark.parametrize("count", [1000, 10_000])
def test_fifty_pages_are_dragged_among_many_in_no_time(scan_page: Any, count: int) -> None:
    page: Page = scan_page.page
    before = fill(scan_page, count)
    assert len(before) == count
    assert len(page.evaluate(ORDER)) < 200, "only what is near the screen is in the document"
    page.set_viewport_size({"width": 1360, "height": 3000})
    page.locator("#thumbnails").focus()
    select(scan_page, 2, 51)
    expect(page.locator("#count")).to_have_text(f"50 of {count} pages")
    took_ms = []
    for turn in range(1, DROPS + 1):
        page.evaluate(TIMED)
        # From the front of the list behind its 55th page, and back.
        grip, place = ("[aria-posinset='12']", 55) if turn % 2 == 0 else ("[aria-posinset='14']", 1)
        side = {"x": 5 if place == 1 else 140, "y": 90}
        page.locator(grip).drag_to(page.locator(f"[aria-posinset='{place}']"), target_position=side)
        took_ms.append(page.evaluate("window.took"))
        first = 0 if place == 1 else 5
        rest = before[:2] + before[52:]
        after = rest[:first] + before[2:52] + rest[first:]
        shown = page.evaluate(ORDER)
        assert shown == after[: len(shown)]
        expect(page.locator("#announcer")).to_have_text(f"Moved to place {first + 1} of {count}")
        assert ids_kept(scan_page) == after
    said = ", ".join(f"{each:.0f}" for each in sorted(took_ms))
    print(f"{count} pages: the new order was on the screen after so many milliseconds: {said}")
    # The machine may be busy with something else; it is not five times.
    assert min(took_ms) < DROP_LIMIT_MS


def test_pages_are_cut_and_put_elsewhere_with_the_keyboard(scan_page: Any) -> None:
    page: Page = scan_page.page
    before = fill(scan_page, 1000)
    page.locator("[aria-posinset='1']").click()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Control+x")
    page.keyboard.press("End")
    expect(page.locator("[aria-posinset='1000']")).to_be_focused()
    page.keyboard.press("Control+v")
    expect(page.locator("#announcer")).to_have_text("Moved to place 999 of 1000")
    expect(page.locator("[aria-posinset='999']")).to_be_focused()
    assert ids_kept(scan_page) == before[2:] + before[:2]
    page.keyboard.press("Control+Home")
    expect(page.locator("#announcer")).to_have_text("Moved to place 1 of 1000")
    assert ids_kept(scan_page) == before


def test_a_list_that_is_scrolled_shows_every_page_at_its_place(scan_page: Any) -> None:
    page: Page = scan_page.page
    before = fill(scan_page, 1000)
    for share in (0.5, 1.0, 0.25, 0.0):
        page.evaluate(SCROLL, share)
        page.wait_for_function(MIDDLE)
        place, page_id = page.evaluate(MIDDLE)
        assert place == pytest.approx(1000 * share, abs=15)
        assert page_id == before[place - 1]
        expect(page.locator(f"[data-page='{page_id}'].loaded")).to_be_in_viewport()
