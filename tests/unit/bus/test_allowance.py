from bus.allowance import BURST_BYTES, BYTES_PER_S, LETTER_BYTES, Allowance


def letters_until_refused(allowance: Allowance, size: int, now: float) -> int:
    taken = 0
    while allowance.take("chatty", size, now):
        taken += 1
    return taken


def test_a_burst_is_limited_in_letters_and_in_bytes() -> None:
    assert letters_until_refused(Allowance(), 0, 0.0) == BURST_BYTES // LETTER_BYTES
    assert letters_until_refused(Allowance(), 1 << 20, 0.0) == 15


def test_a_steady_rate_is_allowed_for_ever() -> None:
    allowance = Allowance()
    each_second = BYTES_PER_S // LETTER_BYTES
    assert all(allowance.take("steady", 0, second) for second in range(60) for _ in range(each_second))
    assert not all(allowance.take("hasty", 0, second) for second in range(60) for _ in range(2 * each_second))


def test_each_peer_has_its_own_and_a_new_one_begins_afresh() -> None:
    allowance = Allowance()
    letters_until_refused(allowance, 1 << 20, 0.0)
    assert allowance.take("quiet", 100, 0.0)
    assert not allowance.take("chatty", 100, 0.0)
    allowance.forget("chatty")
    assert allowance.take("chatty", 100, 0.0)
