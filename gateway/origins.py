"""Who may talk to us: without it, any page that a person visits could use their scanner."""

import re

from msgspec import Struct

HEAD_LIMIT_BYTES = 32 << 10
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_FILES = re.compile(r"/v1/sessions/[^/]+/(pages/[^/]+/image|documents/[^/]+)")


class Facts(Struct, frozen=True, kw_only=True):
    """What a request says of itself; headers as they came, one item for each time that it was sent."""

    method: str = "GET"
    target: str
    """The path as sent, still quoted, without the query."""
    scheme: str = "http"
    """`http` or `https`, also for WebSockets."""
    port: int
    """That the request came in on."""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    fetch_site: str = ""
    fetch_mode: str = ""
    content_type: str = ""
    head_bytes: int = 0
    """Of all headers together."""
    control_bytes: bool = False
    """Whether a header has any."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a request is not heard: an HTTP status, a code of the table of errors, and a sentence."""

    status: int
    code: str
    text: str


def decide(facts: Facts, names: tuple[str, ...] = ()) -> Refusal | None:
    """The first rule that the request breaks, or None; `names` are further hosts of ours, `name` or `name:port`."""
    if not facts.target.startswith("/"):
        return Refusal(status=400, code="invalid", text="Ask for a path, such as /healthz.")
    if facts.head_bytes > HEAD_LIMIT_BYTES or facts.control_bytes:
        return Refusal(status=400, code="invalid", text="The headers are too long, or not text.")
    if len(facts.hosts) != 1 or len(facts.origins) > 1:
        return Refusal(status=400, code="invalid", text="Send one Host header, and at most one Origin.")
    host = facts.hosts[0].lower()
    if host not in _our_hosts(facts, names):
        return Refusal(status=421, code="denied", text="This address is not one that Scanbus answers to.")
    return _origin(facts, host, names) or _fetch(facts) or _content(facts)


def _our_hosts(facts: Facts, names: tuple[str, ...]) -> set[str]:
    ours = {f"{name}:{facts.port}" for name in _LOOPBACK}
    if facts.port == _DEFAULT_PORTS.get(facts.scheme):
        ours.update(_LOOPBACK)
    return ours | {name.lower() for name in names}


def _origin(facts: Facts, host: str, names: tuple[str, ...]) -> Refusal | None:
    if not facts.origins:
        return None
    own = {f"{facts.scheme}://{host}"}
    if host in {name.lower() for name in names}:
        own |= {f"http://{host}", f"https://{host}"}
    if facts.origins[0] in own:
        return None
    return Refusal(status=403, code="denied", text="Pages of other sites may not use Scanbus.")


def _fetch(facts: Facts) -> Refusal | None:
    if not facts.target.startswith("/v1/"):
        return None
    if facts.fetch_site not in ("", "same-origin", "none"):
        return Refusal(status=403, code="denied", text="Pages of other sites may not use Scanbus.")
    is_file = facts.method in ("GET", "HEAD") and _FILES.fullmatch(facts.target) is not None
    if facts.fetch_mode == "navigate" and not is_file:
        return Refusal(status=403, code="denied", text="This address is for programs; open / in a browser.")
    return None


def _content(facts: Facts) -> Refusal | None:
    media_type = facts.content_type.partition(";")[0].strip().lower()
    if facts.method in _SAFE_METHODS or media_type == "application/json":
        return None
    return Refusal(status=415, code="invalid", text="Send Content-Type: application/json.")
