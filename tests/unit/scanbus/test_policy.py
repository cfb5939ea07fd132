import pytest

from scanbus.policy import (
    GRACE_S,
    PAUSES_S,
    PROBE_S,
    WINDOW_S,
    Action,
    Done,
    Drain,
    GiveUp,
    Kill,
    Policy,
    Restored,
    Start,
)

TABLE = {"main": ("buffer", "gateway"), "driver": ("driver",), "media": ("image", "pdf")}
SILENCE_S = 10.0
NOW_AND_LATER = 1000.0
"""When main last said that it lives, where that is not what a test is about."""
CAMERA = "driver/sane:test:0"


@pytest.fixture
def policy() -> Policy:
    """A service whose main process is ready."""
    policy = Policy(TABLE, silence_s=SILENCE_S)
    policy.begin(0.0)
    policy.alive("main", NOW_AND_LATER)
    return policy


def crash_until_given_up(policy: Policy, name: str, why: str = "") -> list[Action]:
    actions: list[Action] = []
    for _ in range(len(PAUSES_S) + 1):
        assert name in policy.running
        actions = policy.exited(name, 1, 0.0, why) + policy.tick(0.0 + max(PAUSES_S))
    return actions


def test_main_starts_first_and_everything_else_waits_until_it_is_wanted() -> None:
    policy = Policy(TABLE, silence_s=SILENCE_S)
    assert policy.begin(0.0) == [Start("main")]
    assert policy.tick(0.0) == []
    assert policy.running == ["main"]


def test_a_letter_that_waits_starts_the_process_that_serves_it(policy: Policy) -> None:
    assert policy.wanted("pdf", 1.0) == [Start("media")]
    assert policy.services_of("media") == ["image", "pdf"]


def test_each_instance_has_a_process_of_its_own(policy: Policy) -> None:
    assert policy.wanted(CAMERA, 1.0) == [Start(CAMERA)]
    assert policy.wanted("driver/virtual:sample", 1.0) == [Start("driver/virtual:sample")]
    assert policy.services_of(CAMERA) == [CAMERA]


def test_a_process_that_runs_is_not_started_twice(policy: Policy) -> None:
    policy.wanted("image", 1.0)
    assert policy.wanted("pdf", 1.0) == []


def test_a_service_that_is_in_no_process_is_expected_from_elsewhere(policy: Policy) -> None:
    assert policy.wanted("ocr", 1.0) == []
    assert policy.services_of("ocr") == []


def test_main_is_back_at_once_after_it_was_killed(policy: Policy) -> None:
    assert policy.exited("main", -9, 1.0) == [Start("main")]


def test_main_is_back_even_after_it_ended_without_an_error(policy: Policy) -> None:
    assert policy.exited("main", 0, 1.0) == [Start("main")]


def test_a_main_that_never_was_ready_ends_the_service_and_says_why() -> None:
    policy = Policy(TABLE, silence_s=SILENCE_S)
    policy.begin(0.0)
    [done] = policy.exited("main", 1, 1.0)
    assert isinstance(done, Done)
    assert "exit code 1" in done.failure


def test_a_main_that_says_why_it_cannot_run_is_quoted() -> None:
    policy = Policy(TABLE, silence_s=SILENCE_S)
    policy.begin(0.0)
    assert policy.exited("main", 1, 1.0, "The disk is full.") == [Done("The disk is full.")]


def test_an_idle_process_may_leave_and_comes_back_when_it_is_wanted(policy: Policy) -> None:
    policy.wanted("image", 1.0)
    policy.alive("media", 2.0)
    assert policy.exited("media", 0, 60.0) == []
    assert policy.wanted("image", 61.0) == [Start("media")]


def test_what_was_wanted_while_the_process_was_leaving_is_not_forgotten(policy: Policy) -> None:
    policy.wanted("image", 1.0)
    policy.alive("media", 2.0)
    policy.wanted("image", 59.9)
    assert policy.exited("media", 0, 60.0) == [Start("media")]


def test_what_was_wanted_before_the_process_was_ready_is_served_by_it(policy: Policy) -> None:
    policy.wanted("image", 1.0)
    policy.wanted("image", 1.1)
    policy.alive("media", 2.0)
    assert policy.exited("media", 0, 60.0) == []


def test_pauses_grow_with_each_crash(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    pauses = []
    for _ in PAUSES_S:
        actions = policy.exited("media", -11, 0.0)
        due = policy.next_due()
        pauses.append(0.0 if actions else due)
        assert actions == [] or actions == [Start("media")]
        policy.tick(max(PAUSES_S))
    assert pauses == list(PAUSES_S)


def test_a_letter_does_not_shorten_the_pause_after_a_crash(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    policy.exited("media", 1, 0.0)
    policy.exited("media", 1, 0.0)
    assert policy.wanted("image", 0.1) == []
    assert policy.tick(0.4) == []
    assert policy.tick(0.5) == [Start("media")]


def test_crashes_that_are_long_ago_do_not_count(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    for crash in range(20):
        assert policy.exited("media", 1, crash * WINDOW_S) == [Start("media")]


def test_a_process_that_crashes_again_and_again_is_given_up_and_the_rest_works_on(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    [given_up] = crash_until_given_up(policy, "media")
    assert isinstance(given_up, GiveUp)
    assert given_up.name == "media"
    assert "exit code 1, the 6th time within 60 seconds" in given_up.reason
    assert policy.given_up == {"media": given_up.reason}
    assert policy.wanted("image", 1.0) == []
    assert policy.running == ["main"]


def test_a_process_that_says_why_it_cannot_run_is_quoted_when_it_is_given_up(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    [given_up] = crash_until_given_up(policy, "media", "A library is missing.")
    assert isinstance(given_up, GiveUp)
    assert given_up.reason.endswith("seconds: A library is missing.")


def test_what_was_given_up_is_tried_once_after_a_minute(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    crash_until_given_up(policy, "media")
    assert policy.tick(PROBE_S - 0.1) == []
    assert policy.tick(PROBE_S) == [Start("media")]
    assert policy.exited("media", 1, PROBE_S) == []
    assert policy.tick(2 * PROBE_S) == [Start("media")]


def test_what_was_given_up_is_restored_when_it_works_again(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    crash_until_given_up(policy, "media")
    policy.tick(PROBE_S)
    assert policy.alive("media", PROBE_S) == [Restored("media")]
    assert policy.given_up == {}


def test_what_was_given_up_may_leave_once_it_works_again(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    crash_until_given_up(policy, "media")
    policy.tick(PROBE_S)
    policy.alive("media", PROBE_S)
    assert policy.exited("media", 0, PROBE_S + 60.0) == []
    assert policy.wanted("image", PROBE_S + 61.0) == [Start("media")]


def test_a_process_that_is_stuck_is_killed(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    assert policy.lost("media", "it is stuck") == [Kill("media")]


def test_the_reason_for_killing_a_process_is_quoted_when_it_is_given_up(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    actions: list[Action] = []
    for _ in range(len(PAUSES_S) + 1):
        policy.lost("media", "it is stuck")
        actions = policy.exited("media", -9, 0.0) + policy.tick(max(PAUSES_S))
    assert actions == [GiveUp("media", "it was ended by signal 9, the 6th time within 60 seconds: it is stuck.")]


def test_a_process_that_ends_before_it_is_ready_has_failed_whatever_its_exit_code(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    assert policy.exited("media", 0, 0.0) == [Start("media")]
    assert policy.exited("media", 0, 0.0) == []
    assert policy.next_due() == PAUSES_S[1]


def test_what_does_not_run_cannot_be_stuck(policy: Policy) -> None:
    assert policy.lost("image@elsewhere", "") == []
    policy.wanted("image", 0.0)
    policy.exited("media", 1, 0.0)
    policy.exited("media", 1, 0.0)
    assert policy.lost("media", "") == []


def test_main_is_not_killed_on_the_word_of_main(policy: Policy) -> None:
    assert policy.lost("main", "") == []


def test_a_process_that_does_not_become_ready_is_killed(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    assert policy.tick(SILENCE_S) == [Kill("media")]
    assert policy.tick(SILENCE_S) == []


def test_a_process_that_is_ready_may_be_silent(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    policy.alive("media", 1.0)
    assert policy.tick(1000.0) == []


def test_main_must_go_on_saying_that_it_lives(policy: Policy) -> None:
    policy.alive("main", 5.0)
    assert policy.tick(SILENCE_S) == []
    assert policy.next_due() == 5.0 + SILENCE_S
    assert policy.tick(5.0 + SILENCE_S) == [Kill("main")]


def test_the_service_stops_from_the_outside_in(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    policy.wanted(CAMERA, 0.0)
    assert policy.drain(1.0) == [Drain("media"), Drain(CAMERA)]
    assert policy.exited("media", 0, 1.1) == []
    assert policy.exited(CAMERA, -15, 1.2) == [Drain("main")]
    assert policy.exited("main", 0, 1.3) == [Done()]


def test_nothing_is_started_while_the_service_stops(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    policy.exited("media", 1, 0.0)
    policy.exited("media", 1, 0.0)
    policy.drain(0.1)
    assert policy.wanted(CAMERA, 0.2) == []
    assert policy.tick(1.0) == []


def test_what_does_not_stop_within_its_grace_is_killed(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    policy.drain(1.0)
    policy.alive("media", 1.5)
    policy.alive("main", 1.5)
    assert policy.tick(1.0 + GRACE_S) == [Kill("media")]
    assert policy.exited("media", -9, 6.1) == [Drain("main")]
    assert policy.tick(6.1 + GRACE_S) == [Kill("main")]


def test_a_second_interrupt_does_not_wait(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    assert policy.interrupt(1.0) == [Drain("media")]
    assert policy.interrupt(1.1) == [Kill("main"), Kill("media")]


def test_being_told_to_stop_again_changes_nothing(policy: Policy) -> None:
    policy.wanted("image", 0.0)
    policy.drain(1.0)
    assert policy.drain(2.0) == []
    assert policy.tick(1.0 + GRACE_S) == [Kill("media")]
