"""Records on request, and always the last minute: without it, a trace would have to be asked for before the fault."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bus.actor import Actor, on
from bus.broker import Broker
from bus.context import Context
from bus.trace import Private, Recorder, Ring, save
from schemas.bus import Record, Recorded, SaveRing
from schemas.config import Config

FLUSH_S = 0.05
MARGIN_S = 0.5
"""How long before its caller's patience ends a recording ends by itself, so that its reply arrives."""
CRASHES = 5
"""How many crash dumps are kept."""


class Tracer(Actor):
    """Watches the broker in the same process, as `bus/trace`; `private` says what to hide, `version` who writes."""

    service = "bus"

    def __init__(self, config: Config, broker: Broker, *, version: str, private: Private) -> None:
        super().__init__(config, "trace")
        self._broker = broker
        self._version = version
        self._private = private
        self._ring = Ring()
        self._ending = asyncio.Event()
        broker.watchers.append(self._ring.note)

    def end(self) -> None:
        """End every recording well, because the service ends."""
        self._ending.set()

    @on(Record)
    async def record(self, msg: Record, ctx: Context) -> Recorded:
        """Write letters until canceled. Raises what `Recorder` raises."""
        recorder = Recorder(
            Path(msg.path),
            version=self._version,
            broker=self._broker.name,
            private={} if msg.private else self._private,
            session=msg.session,
            service=msg.service,
        )
        self._broker.watchers.append(recorder.note)
        until = ctx.now() + ctx.remaining_s - MARGIN_S
        try:
            # To be canceled is how a recording ends well.
            with suppress(asyncio.CancelledError):
                while not self._ending.is_set() and ctx.now() < until:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._ending.wait(), FLUSH_S)
                    await ctx.offload(recorder.flush)
        finally:
            self._broker.watchers.remove(recorder.note)
            await asyncio.shield(ctx.offload(recorder.close))
        return Recorded(letters=recorder.letters)

    @on(SaveRing)
    async def save_ring(self, msg: SaveRing, ctx: Context) -> Recorded:
        """Write what was said in the last minute. Raises what `Recorder` raises."""
        private = {} if msg.private else self._private
        return Recorded(letters=await ctx.offload(self._save, self._ring.letters(), Path(msg.path), private))

    def dump(self, folder: Path) -> str:
        """Save the last minute as `crash-<time>.jsonl`, delete the oldest such; gives the path.

        Empty where nothing was said. Raises what `Recorder` raises, and OSError.
        """
        letters = self._ring.letters()
        if not letters:
            return ""
        path = folder / f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"
        self._save(letters, path, self._private)
        for old in sorted(folder.glob("crash-*.jsonl"))[:-CRASHES]:
            old.unlink(missing_ok=True)
        return str(path)

    def _save(self, letters: list[tuple[float, bytes]], path: Path, private: Private) -> int:
        return save(letters, path, version=self._version, broker=self._broker.name, private=private)
