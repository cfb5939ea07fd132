"""A password opens its document, nothing else does, and nobody learns anything by trying."""

import asyncio
import statistics
import threading
from collections.abc import Awaitable, Callable
from time import process_time

import msgspec
import pytest

from actors.kept.locks import FREE_ATTEMPTS, KEY_BYTES, LONGEST_PAUSE_S, Attempts, Lock, Locksmith
from schemas.errors import Busy, NotFound, ScanbusError, WrongPassword

KEY = bytes(range(KEY_BYTES))
DAY_S = 86400.0


def cheap(password: str) -> Lock:
    """A lock that is opened in no time."""
    empty = Lock(key=b"", salt=b"salt", n=1 << 4, p=1)
    return msgspec.structs.replace(empty, key=empty._cipher(password).encrypt(bytes(12), KEY, None))


async def opened(smith: Locksmith, lock: Lock | None, password: str, now_s: float = 0.0) -> bytes:
    return await smith.open("document", lock, password, lambda: now_s)


def with_locksmith(claim: Callable[[Locksmith], Awaitable[None]]) -> Callable[[], None]:
    def test() -> None:
        async def lived() -> None:
            smith = Locksmith()
            try:
                await claim(smith)
            finally:
                smith.close()

        asyncio.run(lived())

    test.__name__ = claim.__name__  # type: ignore[attr-defined]
    return test


def test_a_lock_opens_with_its_password_only() -> None:
    lock = Lock.new(KEY, "open sesame")
    assert lock.open("open sesame") == KEY
    assert lock.open("Open sesame") is None
    assert KEY not in (lock.key, lock.salt)
    assert [cheap("secret").open(other) for other in ("secret ", "", "x" * 1000)] == [None] * 3


def test_a_password_may_be_typed_on_another_system() -> None:
    assert Lock.new(KEY, "caf\u00e9").open("cafe\u0301") == KEY


def test_what_an_older_version_spent_on_a_lock_stands_in_it() -> None:
    lock = cheap("old")
    assert lock.open("old") == KEY
    assert lock.open("new") is None


@with_locksmith
async def test_each_way_to_fail_is_told_apart(smith: Locksmith) -> None:
    free, protected = await smith.make(KEY, ""), await smith.make(KEY, "secret")
    assert await opened(smith, free, "") == KEY
    assert await opened(smith, protected, "secret") == KEY
    for lock, password, error in (
        (protected, "other", WrongPassword),
        (protected, "", WrongPassword),
        (free, "other", WrongPassword),
        (None, "other", NotFound),
        (None, "", NotFound),
    ):
        with pytest.raises(error):
            await opened(smith, lock, password)


@with_locksmith
async def test_any_password_takes_the_same_time_whatever_it_is_for(smith: Locksmith) -> None:
    free, protected = await smith.make(KEY, ""), await smith.make(KEY, "secret")
    cases: dict[str, tuple[Lock | None, str]] = {
        "right": (protected, "secret"),
        "wrong": (protected, "Secret"),
        "not needed": (free, "secret"),
        "unknown": (None, "secret"),
    }
    took_s: dict[str, list[float]] = {case: [] for case in cases}
    for turn in range(3):
        for case, (lock, password) in cases.items():
            began = process_time()
            try:
                await opened(smith, lock, password, turn * DAY_S)
            except ScanbusError:
                pass
            took_s[case].append(process_time() - began)
    medians = {case: statistics.median(each) for case, each in took_s.items()}
    print({case: f"{1000 * median:.1f} ms" for case, median in medians.items()})
    # What else this computer does makes some slower, and none faster.
    fastest = [min(each) for each in took_s.values()]
    assert max(fastest) < 1.5 * min(fastest)


@with_locksmith
async def test_many_attempts_at_once_are_tried_one_after_another(smith: Locksmith) -> None:
    protected = cheap("secret")
    at_work: list[int] = []
    most = 0

    class Counting(Lock):
        def open(self, password: str) -> bytes | None:
            nonlocal most
            at_work.append(threading.get_ident())
            most = max(most, len(at_work))
            key = super().open(password)
            at_work.pop()
            return key

    counting = Counting(**msgspec.structs.asdict(protected))
    attempts = [asyncio.create_task(opened(smith, counting, "secret")) for _ in range(6)]
    await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
    # Whoever hangs up does not let two in at once.
    attempts[2].cancel()
    ends = await asyncio.gather(*attempts, return_exceptions=True)
    assert most == 1
    assert ends.count(KEY) == 5


@with_locksmith
async def test_hanging_up_before_the_answer_counts_as_an_attempt(smith: Locksmith) -> None:
    protected = cheap("secret")
    for _ in range(FREE_ATTEMPTS):
        attempt = asyncio.create_task(opened(smith, protected, "guess"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    with pytest.raises(Busy):
        await opened(smith, protected, "guess")


@with_locksmith
async def test_the_right_password_has_to_wait_like_any_other_and_then_opens(smith: Locksmith) -> None:
    protected = cheap("secret")
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(WrongPassword):
            await opened(smith, protected, "guess")
    with pytest.raises(Busy) as paused:
        await opened(smith, protected, "secret")
    wait_s = float(paused.value.data["wait_s"])
    assert f"{wait_s:.0f} s" in paused.value.text
    assert await opened(smith, protected, "secret", wait_s) == KEY
    with pytest.raises(WrongPassword):
        await opened(smith, protected, "guess", wait_s)


def test_pauses_grow_with_each_wrong_password_but_never_lock_the_owner_out() -> None:
    attempts = Attempts()
    now = 0.0
    pauses: list[float] = []
    for _ in range(FREE_ATTEMPTS + 10):
        attempts.begin("a", now)
        try:
            attempts.begin("a", now)
        except Busy as error:
            now += float(error.data["wait_s"])
            pauses.append(float(error.data["wait_s"]))
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == LONGEST_PAUSE_S
    attempts.begin("b", 0.0)


def test_tries_in_an_hour_are_few() -> None:
    attempts = Attempts()
    tried = 0
    for second in range(3600):
        try:
            attempts.begin("a", float(second))
            tried += 1
        except Busy:
            continue
    assert tried < 70
