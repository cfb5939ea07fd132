"""Storage calls that fail: whichever one it is, what was acknowledged stays, and work goes on without a restart.

`python -m tests.torture.storage_calls FOLDER TRY..` is the process under the shim; a try is `errno:number`.
"""

import asyncio
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog

from schemas.errors import ScanbusError
from schemas.message import Request
from tests.house import House, house
from tests.paper import small_stack
from tests.torture.calls import Op, Shim, build_shim, read_calls, watched
from tests.torture.diary import Diary, KeptDiary, PageState, State, kept_state_of, state_of, unnamed
from tests.torture.story import story_config

ResultT = TypeVar("ResultT")
SHORT = 0
"""No error: a write that takes half of what it was given."""
FAILING = {
    errno.ENOSPC: {Op.WRITE, Op.SYNC, Op.RENAME, Op.TRUNCATE, Op.MKDIR, Op.LINK},
    errno.EIO: set(Op) - {Op.MARK},
    errno.EMFILE: {Op.OPEN},
    SHORT: {Op.WRITE},
}


class Stubborn(Diary):
    """A session whose caller looks what is there when something failed, and asks again: once must be enough."""

    failures: list[str]

    async def scan(self, pages: int) -> None:
        before = len(self.pages)
        try:
            await super().scan(pages)
        except ScanbusError as error:
            self.failures.append(error.code)
            found = await state_of(self.ctx)
            assert found[: len(self.pages)] == self.pages, f"of {self.pages} there is {found}"
            assert len(found) <= before + pages, "pages too many"
            self.pages = found
            await super().scan(pages - (len(found) - before) or 1)
        assert len(self.pages) >= before + pages, f"the scan went well, and there is only {self.pages}"

    async def end(self) -> None:
        await again(super().end, self.failures)

    async def _do(self, work: Callable[[], Awaitable[list[PageState]]], after: list[PageState]) -> None:
        before = self.pages
        try:
            await super()._do(work, after)
        except ScanbusError as error:
            self.failures.append(error.code)
            found = await state_of(self.ctx)
            if unnamed(found, {page[0] for page in before}) == after:
                self.pages = found
            else:
                assert found == before, f"{found} is neither {before} nor {after}"
                await super()._do(work, after)


class StubbornKept(KeptDiary):
    """The same for a kept document."""

    def __init__(self, name: str, here: House, failures: list[str]) -> None:
        super().__init__(name)
        self._here = here
        self._failures = failures

    async def _ask(self, request: Request[Any, Any], after: State, diary: Diary) -> None:
        try:
            await super()._ask(request, after, diary)
        except ScanbusError as error:
            self._failures.append(error.code)
            found = await kept_state_of(self._here, self.name)
            if found != after:
                assert found == self.state, f"{found} is neither {self.state} nor {after}"
                await super()._ask(request, after, diary)
            self.state = after


async def again(work: Callable[[], Awaitable[ResultT]], failures: list[str]) -> ResultT:
    """Do something; where that fails, once more."""
    try:
        return await work()
    except (ScanbusError, OSError) as error:
        failures.append(str(error))
        return await work()


@asynccontextmanager
async def reopened(folder: Path, failures: list[str]) -> AsyncIterator[House]:
    """The house, which may fail to open once."""
    async with AsyncExitStack() as stack:
        yield await again(lambda: stack.enter_async_context(house(story_config(folder))), failures)


async def live(folder: Path, shim: Shim) -> list[str]:
    """A short day with one refused call in it; gives what failed."""
    failures: list[str] = []
    async with reopened(folder, failures) as here:
        deeds = StubbornKept("deeds", here, failures)
        diary = await again(lambda: Stubborn.begin(here, shim), failures)
        assert isinstance(diary, Stubborn)
        diary.failures = failures
        await diary.scan(2)
        await diary.put(1)
        await diary.rotate([1], 90)
        await diary.label([0], "invoice")
        await diary.move([2], 0)
        await deeds.create(diary)
        await deeds.save(diary)
        await diary.remove([1])
        gone = await again(lambda: Stubborn.begin(here, shim), failures)
        assert isinstance(gone, Stubborn)
        gone.failures = failures
        await gone.put(2)
        await gone.end()
        await diary.put(3)
        assert await again(lambda: state_of(diary.ctx), failures) == diary.pages, "while it runs"
    async with reopened(folder, failures) as here:
        ctx = here.caller.ctx.on_behalf(diary.ctx.session)
        assert await again(lambda: state_of(ctx), failures) == diary.pages, "after a restart"
        found = await again(lambda: kept_state_of(here, deeds.name), failures)
        assert found == deeds.state, f"kept: {found}, not {deeds.state}"
        assert not here.store.has(gone.ctx.session), "an ended session is back"
    return failures


def one(folder: Path, shim: Shim, error: int, number: int, log: Path) -> str:
    """Refuse one call of a day; what is wrong then."""
    _prepare(folder)
    os.truncate(log, 0)
    shim.refuse(number, error, FAILING[error])
    with structlog.testing.capture_logs() as said:
        try:
            failures = asyncio.run(live(folder, shim))
        except (AssertionError, ScanbusError, OSError) as wrong:
            where = traceback.extract_tb(wrong.__traceback__)[-1]
            return f"{type(wrong).__name__}: {wrong} ({where.name}, line {where.lineno} of {where.filename})"
    bad = [each for each in said if each["log_level"] in ("error", "critical")]
    if bad:
        return f"the log says {bad[0]}"
    if error == SHORT and failures:
        return f"a short write is no failure, but there was {failures}"
    refused = _refused_sync(log)
    if refused.startswith(str(folder / "state" / "pages")) and not failures:
        return f"{refused} may not be on disk, and nobody was told"
    return ""


def _prepare(folder: Path) -> None:
    (folder / "state").mkdir(parents=True)
    small_stack(folder / "paper", 3)


def _refused_sync(log: Path) -> str:
    """Which file or folder could not be synced."""
    paths = {}
    for call in read_calls(log):
        if call.op is Op.OPEN and not call.error:
            paths[call.file] = call.path
        if call.op is Op.SYNC and call.error:
            return paths[call.file]
    return ""


def main() -> None:
    folder, tries = Path(sys.argv[1]), sys.argv[2:]
    log = Path(os.environ["SHIM_LOG"])
    shim = Shim()
    for each in tries:
        error, number = map(int, each.split(":"))
        if number < 0:
            _prepare(folder / each)
            shim.count(FAILING[error])
            asyncio.run(live(folder / each, shim))
            print(json.dumps([each, shim.seen]), flush=True)
        else:
            print(json.dumps([each, one(folder / each, shim, error, number, log)]), flush=True)
        shim.count(set())
        shutil.rmtree(folder / each)


def try_calls(folder: Path, seed: int, count: int, workers: int) -> Iterator[tuple[str, str]]:
    """Which call was refused each time (so many of them, or with 0 all), and what is wrong then ("": nothing)."""
    counted = _run(folder / "count", [f"{error}:-1" for error in FAILING])
    tries = [f"{each.split(':')[0]}:{number}" for each, calls in counted for number in range(int(calls))]
    if count:
        tries = random.Random(seed).sample(tries, count)
    with ThreadPoolExecutor(workers) as pool:
        shares = [tries[first::workers] for first in range(workers)]
        for ends in pool.map(_run, [folder / str(worker) for worker in range(workers)], shares):
            for each, wrong in ends:
                error, number = each.split(":")
                yield f"{errno.errorcode.get(int(error), 'half a write')} at call {number} ({each})", wrong


def _run(folder: Path, tries: list[str]) -> list[list[str]]:
    (folder / "tries").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.torture.storage_calls", str(folder / "tries")]
    environment = watched(build_shim(folder), folder / "tries", folder / "calls")
    done = subprocess.run([*command, *tries], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    main()
