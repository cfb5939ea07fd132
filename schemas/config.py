"""The one tree of settings: every default in one place, typed, for the service and its actors alike."""

from typing import Annotated

from msgspec import Meta, Struct, field

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0)]


class GatewayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The door for browsers."""

    hosts: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses to listen on."""
    ports: tuple[Port, ...] = (18622, 18625)
    names: tuple[str, ...] = ()
    """Further `Host` names that are ours, such as that of a reverse proxy, `name` or `name:port`."""
    other_users: bool = False
    """Whether other users of this computer may connect."""
    request_limit_bytes: int = 1 << 20
    """Longest message that a browser may send."""
    queue_letters: int = 1000
    """Letters that wait for one slow browser before progress, then events, are dropped."""
    connections: Annotated[int, Meta(ge=1)] = 256
    """WebSockets that may be open at once; one more is refused with 503."""
    sessions_per_origin: Annotated[int, Meta(ge=1)] = 1000
    """Sessions that one web page, or all programs together, may have; one more is answered `busy`."""


class BusConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the actors meet."""

    endpoint: str = ""
    """`ipc://FILE` or `tcp://ADDRESS:PORT`; empty: a socket in the private runtime folder."""
    keys_folder: str = ""
    """For tcp: CURVE key pairs and the allow-list (`allowed/*.pub`); empty: below the state folder."""
    lost_after_s: Seconds = 3.0
    """A worker that was silent for so long is lost."""
    queue_letters: int = 1000
    """Requests that may wait for one service; one more is answered `busy`."""
    start_timeout_s: Seconds = 10.0
    """How long a process may take from its start until it works."""


class CacheConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The blob store."""

    memory_limit_mb: Annotated[int, Meta(ge=16)] = 800
    """A quarter of it is for pictures in the making, an eighth for those that the gateway serves again, an eighth for a
    PDF that grows. Pages never wait in memory for the disk."""
    disk_limit_mb: Annotated[int, Meta(ge=0)] = 0
    """What all sessions together may take on the disk: beyond, pictures that can be made again go, and scanners wait.
    0: as much as the disk has."""
    disk_reserve_mb: Annotated[int, Meta(ge=0)] = 64
    """Left free on the disk for others, but never more than a sixteenth of it: scanners wait."""
    empty_session_s: Seconds = 86400.0
    """How long a session is kept that nobody uses and nothing is in."""
    session_idle_days: Annotated[float, Meta(ge=0)] = 0
    """How long a session is kept that nobody uses, whatever is in it. 0: until its owner ends it."""
    volatile: bool = False
    """Whether session keys are kept in memory alone, in the runtime folder or `/dev/shm`: they survive crashes, but
    neither a reboot nor the end of the service. Linux only."""


class VirtualConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One virtual scanner: a folder of images and PDFs as its paper, or a recording of a real one."""

    name: str
    folder: str = ""
    """Empty: the stack that ships with Scanbus."""
    tray: bool = False
    """Sheets that were fed are gone until somebody puts them back: `.fed` in the folder holds how many. Write a
    smaller number to put some back, delete it to fill the tray. A fault counts pages from the first of the stack and
    strikes once."""
    pages_per_minute: Annotated[float, Meta(ge=0)] = 60.0
    """0: as fast as it goes."""
    fault: str = ""
    """`jam@N`, `double_feed@N`, `cover_open@N`, `hang@N`, `crash@N` (N: page, 1 is the first),
    `empty`, `offline`, `busy` or `warming_up`."""
    recording: str = ""
    """A file (`.jsonl`) that `scanbus device record` wrote, or the name of a recording that ships with Scanbus: the
    scanner does what that one did; paper, speed and faults are those of the recording."""


class DeviceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scanners."""

    drivers: tuple[str, ...] = ("sane", "virtual")
    """Entry points of the group `scanbus.drivers`."""
    hidden: tuple[str, ...] = ()
    """Device ids that are not listed."""
    silence_s: Seconds = 60.0
    """A driver that gave no sign for so long while it works is ended and its job faulted."""
    idle_s: Seconds = 20.0
    """How long a driver's process is kept after its last work."""
    search_interval_s: Seconds = 4.0
    """How often the list is refreshed while somebody watches it."""
    virtual: tuple[VirtualConfig, ...] = (VirtualConfig(name="sample"),)


class LogConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told to whoever reads the log."""

    level: str = "info"
    json: bool = False
    """One JSON object a line; otherwise for eyes."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be configured."""

    state_folder: str = ""
    """Pages, keys and documents; empty: `$XDG_STATE_HOME/scanbus`."""
    runtime_folder: str = ""
    """Sockets and locks; empty: `$XDG_RUNTIME_DIR/scanbus`, or a private folder below the temporary one."""
    idle_s: Seconds = 60.0
    """How long a process that was started on demand is kept after its last work."""
    memory_limit_mb: Annotated[int, Meta(ge=128)] = 4096
    """What a process that was started on demand may take (Linux). At the limit its request fails with `internal` and
    the process is replaced; where a library cannot bear it, the process ends and the request is `lost`."""
    gateway: GatewayConfig = GatewayConfig()
    bus: BusConfig = BusConfig()
    cache: CacheConfig = CacheConfig()
    device: DeviceConfig = DeviceConfig()
    log: LogConfig = LogConfig()
    processes: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "main": ("buffer", "cache", "device", "gateway", "kept"),
            "driver": ("driver",),
            "image": ("image",),
            "pdf": ("pdf",),
        }
    )
    """Which actors share a process. `main` always runs, the others while there is work; an actor that is named
    nowhere is expected to join from elsewhere (`scanbus actor NAME`)."""
