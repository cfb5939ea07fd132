"""How much a peer may say unasked: without it, one worker could take everybody's memory and time."""

BURST_BYTES = 16 << 20
"""What may be said at once."""
BYTES_PER_S = 4 << 20
"""What may be said for long."""
LETTER_BYTES = 2 << 10
"""What a letter counts beside its length: 8192 of the shortest at once, 2048 a second for long."""

MALFORMED_BYTES = 64 << 10
"""What a letter that cannot be read counts at least, because each is answered and logged: 255 of them at once."""


class Allowance:
    """Counts what peers send; time in seconds of any clock is passed in."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[float, float]] = {}

    def take(self, peer: str, size: int, now: float) -> bool:
        """Whether this peer may still say so many bytes."""
        used, when = self._used.get(peer, (0.0, now))
        used = max(0.0, used - (now - when) * BYTES_PER_S) + size + LETTER_BYTES
        self._used[peer] = used, now
        return used <= BURST_BYTES

    def forget(self, peer: str) -> None:
        """A peer has left."""
        self._used.pop(peer, None)
