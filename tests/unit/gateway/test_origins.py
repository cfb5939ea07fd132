"""Who may talk to us, as one table."""

import pytest
from msgspec.structs import replace

from gateway.origins import HEAD_LIMIT_BYTES, Facts, decide

OUR_PAGE = Facts(
    target="/v1/call",
    method="POST",
    port=18622,
    hosts=("127.0.0.1:18622",),
    origins=("http://127.0.0.1:18622",),
    fetch_site="same-origin",
    fetch_mode="cors",
    content_type="application/json",
)
PROGRAM = replace(OUR_PAGE, origins=(), fetch_site="", fetch_mode="")
PICTURE = replace(
    PROGRAM, method="GET", target="/v1/sessions/ab/pages/cd/image", content_type="", fetch_site="same-origin"
)
DOCUMENT = replace(PICTURE, target="/v1/sessions/ab/documents/cd", fetch_mode="navigate")
WELCOME = replace(PROGRAM, method="GET", target="/", content_type="", fetch_site="cross-site", fetch_mode="navigate")

ALLOWED = {
    "our own page": OUR_PAGE,
    "our own page by another of our names": replace(
        OUR_PAGE, hosts=("localhost:18622",), origins=("http://localhost:18622",)
    ),
    "our own page over IPv6": replace(OUR_PAGE, hosts=("[::1]:18622",), origins=("http://[::1]:18622",)),
    "a host in capitals": replace(PROGRAM, hosts=("LOCALHOST:18622",)),
    "a program": PROGRAM,
    "a program that names the character set": replace(PROGRAM, content_type="Application/JSON; charset=utf-8"),
    "a program that reads": replace(PROGRAM, method="GET", content_type=""),
    "the default port, which browsers leave out": replace(PROGRAM, port=80, hosts=("localhost",)),
    "a configured name": replace(PROGRAM, hosts=("scan.example.org",)),
    "a page behind a proxy with TLS": replace(
        OUR_PAGE, hosts=("scan.example.org",), origins=("https://scan.example.org",)
    ),
    "a picture in our own page": PICTURE,
    "a document saved from our own page": DOCUMENT,
    "a picture whose address was typed": replace(PICTURE, fetch_site="none", fetch_mode="navigate"),
    "a link from another site to the welcome page": WELCOME,
}

REFUSED = {
    "no host": (replace(PROGRAM, hosts=()), 400),
    "two hosts": (replace(PROGRAM, hosts=("127.0.0.1:18622", "127.0.0.1:18622")), 400),
    "two origins": (replace(OUR_PAGE, origins=("http://127.0.0.1:18622", "http://evil.example")), 400),
    "an absolute target": (replace(PROGRAM, target="http://127.0.0.1:18622/v1/call"), 400),
    "control bytes": (replace(PROGRAM, control_bytes=True), 400),
    "an over-long head": (replace(PROGRAM, head_bytes=HEAD_LIMIT_BYTES + 1), 400),
    "a rebound name": (replace(PROGRAM, hosts=("evil.example:18622",)), 421),
    "a name that only begins like ours": (replace(PROGRAM, hosts=("127.0.0.1:18622.evil.example",)), 421),
    "the other port": (replace(PROGRAM, hosts=("127.0.0.1:18625",)), 421),
    "no port": (replace(PROGRAM, hosts=("127.0.0.1",)), 421),
    "an empty host": (replace(PROGRAM, hosts=("",)), 421),
    "another loopback address": (replace(PROGRAM, hosts=("127.0.0.2:18622",)), 421),
    "an opaque origin": (replace(OUR_PAGE, origins=("null",)), 403),
    "another site": (replace(OUR_PAGE, origins=("https://evil.example",)), 403),
    "another port of this computer": (replace(OUR_PAGE, origins=("http://127.0.0.1:3000",)), 403),
    "another of our names": (replace(OUR_PAGE, origins=("http://localhost:18622",)), 403),
    "another scheme": (replace(OUR_PAGE, origins=("https://127.0.0.1:18622",)), 403),
    "an origin that only begins like ours": (replace(OUR_PAGE, origins=("http://127.0.0.1:18622.evil.example",)), 403),
    "a configured name as the origin of another host": (replace(OUR_PAGE, origins=("https://scan.example.org",)), 403),
    "a form post": (replace(PROGRAM, content_type="text/plain"), 415),
    "no content type": (replace(PROGRAM, content_type=""), 415),
    "a simple type with ours as a parameter": (replace(PROGRAM, content_type="text/plain; application/json"), 415),
    "a picture in another site's page": (replace(PICTURE, fetch_site="cross-site", fetch_mode="no-cors"), 403),
    "a picture in a page of another port": (replace(PICTURE, fetch_site="same-site", fetch_mode="no-cors"), 403),
    "a window of another site on a document": (replace(DOCUMENT, fetch_site="cross-site"), 403),
    "a window on the API": (replace(OUR_PAGE, origins=(), fetch_mode="navigate"), 403),
    "a window on the WebSocket": (replace(DOCUMENT, target="/v1/socket"), 403),
    "two fetch sites": (replace(PICTURE, fetch_site="same-origin,none"), 403),
    "a path that only ends like a picture": (replace(DOCUMENT, target="/v1/x/sessions/ab/documents/cd"), 403),
}


@pytest.mark.parametrize("facts", ALLOWED.values(), ids=ALLOWED)
def test_this_may_talk_to_us(facts: Facts) -> None:
    assert decide(facts, ("scan.example.org",)) is None


@pytest.mark.parametrize(("facts", "status"), REFUSED.values(), ids=REFUSED)
def test_this_is_refused(facts: Facts, status: int) -> None:
    refusal = decide(facts, ("scan.example.org",))
    assert refusal is not None
    assert refusal.status == status
    assert refusal.code == ("denied" if status in (403, 421) else "invalid")
