"""Which user of this computer is at the other end: without it, every local user could scan as any other."""

import os
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")
_LISTENING = "0A"


class Entry(Struct, frozen=True):
    """One line of the kernel's table of TCP sockets."""

    uid: int
    inode: int
    """0 where no process has the socket any more; its `uid` then means nothing."""


def address_in_table(address: str, port: int, *, mapped: bool = False) -> str:
    """An address as `/proc/net/tcp` writes it; `mapped` is IPv4 as an IPv6 socket has it."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if mapped and isinstance(ip, IPv4Address):
        ip = IPv6Address(f"::ffff:{ip}")
    words = [ip.packed[at : at + 4] for at in range(0, len(ip.packed), 4)]
    written = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return f"{written.hex().upper()}:{port:04X}"


def find(table: str, local: str, remote: str) -> Entry | None:
    """The socket between these two ends, in a table's text; `local` is its own end."""
    at = table.find(f" {local} {remote} ")
    if at < 0:
        return None
    fields = table[at:].partition("\n")[0].split()
    return Entry(uid=int(fields[6]), inode=int(fields[8]))


def listeners(table: str, port: int) -> set[int]:
    """The inodes of the sockets that listen on a port, in a table's text."""
    lines = [fields for line in table.splitlines()[1:] if len(fields := line.split()) > 9]
    return {int(fields[9]) for fields in lines if fields[3] == _LISTENING and fields[1].endswith(f":{port:04X}")}


def may_connect(peer: tuple[str, int], ours: tuple[str, int]) -> bool:
    """Whether the socket's other end is root's or our own user's, or not on this computer; Linux only, else True.

    A loopback peer that is not in the table, or that no process has any more, may not: the kernel shows
    a socket that was closed with data still in flight as root's.
    """
    if sys.platform != "linux":
        return True
    entry = _find_peer(peer, ours)
    if entry is None:
        address = ip_address(peer[0].partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return not (mapped or address).is_loopback
    return entry.inode != 0 and entry.uid in (0, os.getuid())


def _find_peer(peer: tuple[str, int], ours: tuple[str, int]) -> Entry | None:
    for name, mapped in (("tcp", False), ("tcp6", True)):
        if name == "tcp" and ":" in peer[0]:
            continue
        table = (_PROC / "net" / name).read_text()
        ends = address_in_table(*peer, mapped=mapped), address_in_table(*ours, mapped=mapped)
        if entry := find(table, *ends):
            return entry
    return None


def holder(port: int) -> str:
    """Who listens on a port, such as `nginx (process 812)`; empty where that cannot be seen."""
    inodes: set[int] = set()
    for name in ("tcp", "tcp6"):
        try:
            inodes |= listeners((_PROC / "net" / name).read_text(), port)
        except OSError:
            continue
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in _PROC.glob("[0-9]*"):
        try:
            if any(os.readlink(link) in wanted for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return ""
