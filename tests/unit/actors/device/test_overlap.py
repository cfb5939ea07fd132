"""Which pages are repeats follows from their order and from what is on them; in doubt a page is new."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.device.overlap import Likeness, Overlap, Repeat, expected

BLANK = "-"


def compare(kept: str, new: str) -> Likeness:
    if kept == new == BLANK:
        return Likeness.UNSURE
    return Likeness.SAME if kept == new else Likeness.DIFFERENT


def fed(kept: str, arriving: str, put_back: int = -1, sides: int = 1, last: int = 0) -> list[Repeat | int]:
    """What is said of each arriving page, a letter each, when those before are kept under the numbers up to `last`."""
    last = last or len(kept)
    pages = {last - len(kept) + 1 + index: page for index, page in enumerate(kept) if page != " "}
    overlap = Overlap(pages, compare, last, sides=sides, put_back=put_back)
    verdicts = [verdict for page in arriving for verdict in overlap.arrived(page)]
    return verdicts + overlap.ended()


def new(kept: str, arriving: str, put_back: int = -1, sides: int = 1) -> str:
    """The arriving pages that are kept."""
    verdicts = fed(kept, arriving, put_back, sides)
    return "".join(page for page, verdict in zip(arriving, verdicts, strict=True) if not isinstance(verdict, Repeat))


@pytest.mark.parametrize(
    ("kept", "arriving", "left"),
    [
        ("abc", "def", "def"),
        ("abc", "cde", "de"),
        ("abc", "bcd", "d"),
        ("abc", "abcd", "d"),
        ("ab-", "b-d", "d"),
        ("a--", "a--d", "d"),
        ("abc", "b", ""),
    ],
)
def test_sheets_that_were_put_back_are_known_again_by_their_order(kept: str, arriving: str, left: str) -> None:
    assert new(kept, arriving) == left


@pytest.mark.parametrize(
    ("kept", "arriving"),
    [
        pytest.param("ab-", "-c", id="a blank page alone proves nothing"),
        pytest.param("aaa", "aab", id="one of several equal pages proves nothing"),
        pytest.param("abc", "bde", id="what does not go on as before was not put back"),
        pytest.param("abc", "ad", id="nor what skips pages"),
    ],
)
def test_in_doubt_a_page_is_kept(kept: str, arriving: str) -> None:
    assert new(kept, arriving) == arriving


def test_a_page_that_was_kept_in_doubt_names_the_one_that_it_resembles() -> None:
    assert fed("abc", "bde") == [2, 0, 0]


def test_pages_are_held_back_no_longer_than_it_is_undecided() -> None:
    overlap = Overlap({1: "a", 2: "b", 3: "c"}, compare, 3)
    assert overlap.arrived("b") == []
    assert overlap.arrived("c") == [Repeat(2), Repeat(3)]
    assert overlap.decided
    assert overlap.arrived("c") == [0]


def test_who_says_how_many_were_put_back_is_believed_where_pages_are_blank() -> None:
    assert new("a-", "-b", put_back=1) == "b"
    assert new("aaa", "aab", put_back=1) == "ab"


def test_who_says_how_many_were_put_back_may_be_wrong() -> None:
    assert new("abc", "cde", put_back=2) == "de"
    assert new("abc", "de", put_back=2) == "de"


def test_a_sheet_whose_front_alone_is_kept_comes_again_with_both_sides() -> None:
    assert expected(0, 3, 2) == 1
    assert new("abc", "cd", put_back=0, sides=2) == "d"
    assert new("abc", "cd", sides=2) == "d"
    assert new("abcd", "cdef", sides=2) == "ef"


def test_a_page_that_somebody_removed_is_kept_when_it_comes_again() -> None:
    assert fed("a c", "abcd", last=3) == [Repeat(1), 0, Repeat(3), 0]


@given(
    st.lists(st.sampled_from("abcdefgh-"), max_size=8),
    st.lists(st.sampled_from("abcdefgh-"), max_size=8),
    st.integers(-1, 3),
    st.sampled_from([1, 2]),
)
def test_every_page_is_told_of_once_and_a_repeat_shows_what_is_kept(
    kept: list[str], arriving: list[str], put_back: int, sides: int
) -> None:
    verdicts = fed("".join(kept), "".join(arriving), put_back, sides)
    assert len(verdicts) == len(arriving)
    for page, verdict in zip(arriving, verdicts, strict=True):
        if isinstance(verdict, Repeat):
            assert kept[verdict.number - 1] == page
