"""The client library in somebody else's page."""

import json
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pikepdf
from playwright.sync_api import Browser, Page, WebSocketRoute

BEGIN = "const { connect } = await import('/web/scanbus.js'); const scanner = await connect();"
SLOW = "{ deviceId: 'virtual:slow', resolution_dpi: 100, pages: 4 }"


def bare(page: Page, origin: str) -> None:
    """Open a page of that origin, for scripts of our own."""
    page.goto(origin)


def run(page: Page, script: str) -> Any:
    """What the script returns, with a session open as `scanner`."""
    return page.evaluate(f"async () => {{ {BEGIN} {script} }}")


def test_the_ten_lines_of_the_welcome_page_scan(browser: Browser, service: str, tmp_path: Path) -> None:
    # Somebody else's page has inline scripts, which our own policy forbids.
    page = browser.new_page(bypass_csp=True)
    page.goto(service)
    code = page.locator("#code").inner_text()
    assert service in code
    assert len(code.strip().splitlines()) <= 12
    with page.expect_download() as download:
        page.set_content(code)
    download.value.save_as(tmp_path / "scan.pdf")
    with pikepdf.open(tmp_path / "scan.pdf") as pdf:
        assert len(pdf.pages) == page.locator("img").count() >= 1
        assert str(pdf.docinfo["/Title"]) == "My scan"
    page.close()


def test_leaving_the_loop_cancels_the_scan(page: Page, service: str) -> None:
    bare(page, service)
    script = f"""
      const scan = scanner.scan({SLOW});
      for await (const page of scan) break;
      while (['pending', 'running'].includes(scan.job.state)) await new Promise((resolve) => setTimeout(resolve, 20));
      return [(await scanner.jobs()).at(-1).state, (await scanner.pages()).length];
    """
    state, pages = run(page, script)
    assert state == "canceled"
    assert 1 <= pages <= 2


def test_aborting_the_signal_cancels_the_scan_with_its_reason(page: Page, service: str) -> None:
    bare(page, service)
    script = f"""
      const stop = new AbortController();
      try {{
        for await (const page of scanner.scan({SLOW}, {{ signal: stop.signal }})) stop.abort(new Error('enough'));
      }} catch (error) {{
        return [error.message, (await scanner.jobs()).at(-1).state];
      }}
    """
    assert run(page, script) == ["enough", "canceled"]


def test_progress_of_the_page_that_is_scanned_is_told(page: Page, service: str) -> None:
    bare(page, service)
    script = """
      const scan = scanner.scan({ deviceId: 'virtual:slow', resolution_dpi: 100, pages: 1 });
      const seen = [];
      scan.onprogress = ({ number, fraction }) => seen.push([number, fraction]);
      for await (const page of scan);
      return seen;
    """
    seen = run(page, script)
    assert len(seen) >= 2
    assert {number for number, _ in seen} == {1}
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)


def test_an_error_has_the_code_of_the_service(page: Page, service: str) -> None:
    bare(page, service)
    script = """
      try {
        for await (const page of scanner.scan({ deviceId: 'virtual:empty' }));
      } catch (error) {
        return [error.name, error.code, error.text];
      }
    """
    assert run(page, script) == ["ScanbusError", "feeder_empty", "The feeder is empty. Load paper and press Scan."]


def pages_kept(origin: str, token: str) -> int:
    """How many pages the session has, asked without a browser."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "Origin": origin}
    question = Request(f"{origin}/v1/call", json.dumps({"type": "buffer.list_pages"}).encode(), headers)
    with urlopen(question, timeout=5) as answer:
        return len(json.loads(answer.readlines()[-1])["body"]["pages"])


def test_pages_that_came_while_the_connection_was_cut_are_delivered(browser: Browser, service: str) -> None:
    page = browser.new_page()
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/v1/socket", pass_on)
    bare(page, service)
    token = page.evaluate(
        f"""async () => {{ {BEGIN}
          window.states = [];
          scanner.on('connection', (state) => window.states.push(state));
          window.all = (async () => {{
            const ids = [];
            for await (const page of scanner.scan({SLOW})) ids.push(page.page_id);
            return [ids, (await scanner.pages()).map(({{ page_id }}) => page_id)];
          }})();
          await new Promise((resolve) => scanner.on('pages', resolve));
          return scanner.token;
        }}"""
    )
    # The client asks for the health before it opens a socket, with growing pauses: it stays away until page 2.
    page.route("**/healthz", lambda route: route.continue_() if pages_kept(service, token) >= 2 else route.abort())
    sockets[-1].close(code=1012)
    seen, kept = page.evaluate("window.all")
    assert page.evaluate("window.states") == ["reconnecting", "open"]
    assert len(seen) == 4
    assert seen == kept
    page.close()


WATCH = """
  for await (const page of scanner.scan({ deviceId: 'virtual:fast', resolution_dpi: 100, pages: 6 }));
  const list = scanner.watch();
  await list.refresh();
  const other = await connect({ token: scanner.token });
  const ids = [...list.ids];
  const same = async (about) => {
    for (let tries = 0; tries < 200; tries += 1) {
      const pages = await other.pages();
      if (JSON.stringify(list.ids.map((id) => list.get(id))) === JSON.stringify(pages)) return pages;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`the list does not show that pages were ${about}`);
  };
"""
"""Six pages in a list that is watched, and somebody else in the same session."""


def test_a_list_that_is_watched_follows_what_others_do(page: Page, service: str) -> None:
    bare(page, service)
    script = f"""{WATCH}
      await other.move([ids[4], ids[1]], 0);
      await same("moved");
      await other.rotate([ids[2], ids[3]], -90);
      const turned = (await same("rotated")).filter((page) => page.rotation_degrees === 270);
      if (turned.length !== 2) throw new Error("not turned");
      await other.tag([ids[0]], {{ add: ["Bills"] }});
      await same("tagged");
      const copies = await other.copy([ids[0], ids[5]], 1);
      if ((await same("copied"))[1].page_id !== copies[0]) throw new Error("place");
      const {{ document_id: documentId }} = await other.createDocument("Letters");
      await other.move([ids[2]], 0, {{ documentId }});
      await same("moved away");
      await other.move([ids[2]], 3, {{ documentId: list.documentId }});
      await same("moved back");
      await other.remove([ids[0], copies[1]]);
      await same("removed");
      list.close();
      await other.close({{ erase: true }});
      return list.ids.length;
    """
    assert run(page, script) == 6


def test_a_change_that_was_missed_is_found_out_with_the_next_one(browser: Browser, service: str) -> None:
    page = browser.new_page()
    sockets: list[WebSocketRoute] = []
    dropped: list[str] = []

    def pass_on(socket: WebSocketRoute) -> None:
        """Lose each second change that the list's connection is told of; the welcome page has the one before."""
        server = socket.connect_to_server()
        lossy = len(sockets) == 1
        sockets.append(socket)
        changes = count()

        def hear(said: str | bytes) -> None:
            if lossy and '"buffer.changed"' in str(said) and next(changes) % 2:
                dropped.append(str(said))
            else:
                socket.send(said)

        server.on_message(hear)

    page.route_web_socket("**/v1/socket", pass_on)
    bare(page, service)
    script = f"""{WATCH}
      for (let turn = 0; turn < 8; turn += 1) await other.move([ids[turn % 6]], (turn * 3) % 6);
      await other.rotate([ids[0]], 90);
      await other.rotate([ids[1]], 90);
      await same("changed");
      return list.ids.length;
    """
    assert run(page, script) == 6
    assert len(dropped) >= 5
    page.close()


def test_a_service_that_is_not_there_is_told_apart(browser: Browser, service: str) -> None:
    # Only a page with another policy than ours may ask another port.
    page = browser.new_page(bypass_csp=True)
    bare(page, service)
    script = "return connect({ url: 'http://127.0.0.1:9' }).catch(({ code, text }) => [code, text]);"
    code, text = run(page, script)
    assert code == "unavailable"
    assert "not running" in text
    page.close()
