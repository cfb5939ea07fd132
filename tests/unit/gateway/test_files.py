"""Pictures that are kept in memory, and names under which documents are saved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.files import MEMORY_SHARE, Picture, PictureKey, Pictures, disposition


def key(session: str, number: int) -> PictureKey:
    return session, str(number), 0, 0, "image/jpeg"


def picture(size: int) -> Picture:
    return Picture('"x"', "image/jpeg", bytes(size))


def test_pictures_stay_within_their_memory_and_the_oldest_go() -> None:
    pictures = Pictures(MEMORY_SHARE)
    for number in range(4):
        pictures.put(key("s", number), picture(300_000))
        assert pictures.get(key("s", 0))
    assert [number for number in range(4) if pictures.get(key("s", number))] == [0, 2, 3]


def test_a_picture_larger_than_the_memory_is_not_kept() -> None:
    pictures = Pictures(MEMORY_SHARE)
    pictures.put(key("s", 0), picture((1 << 20) + 1))
    assert pictures.get(key("s", 0)) is None
    pictures.put(key("s", 1), picture(1 << 20))
    pictures.put(key("s", 1), picture(1 << 20))
    assert pictures.get(key("s", 1))


def test_the_end_of_a_session_forgets_its_pictures_only() -> None:
    pictures = Pictures(MEMORY_SHARE)
    pictures.put(key("s", 0), picture(1))
    pictures.put(key("t", 0), picture(1))
    pictures.end("s")
    assert pictures.get(key("s", 0)) is None
    assert pictures.get(key("t", 0))


@pytest.mark.parametrize(
    ("asked", "plain"),
    [
        ("", "scan.pdf"),
        ("...", "scan.pdf"),
        ("a.pdf", "a.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("100%.pdf", "100_.pdf"),
        ('a"b.pdf', "a_b.pdf"),
        ("x" * 1000 + ".pdf", "x" * 146 + ".pdf"),
    ],
)
def test_a_document_is_saved_under_a_safe_name(asked: str, plain: str) -> None:
    assert disposition(asked, "application/pdf").startswith(f'attachment; filename="{plain}"; ')


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = disposition(name, "application/pdf")
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert not set(header.split('"')[1]) & set("/\\")
