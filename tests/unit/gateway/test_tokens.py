"""Tokens, and the key behind them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens import Tokens, load_key
from schemas.errors import StorageFailed

ORIGIN = "http://127.0.0.1:18622"
TOKENS = Tokens(b"k" * 32)


def test_a_token_opens_its_session_for_its_origin_only() -> None:
    session = "0123456789abcdef0123456789abcdef"
    token = TOKENS.issue(session, ORIGIN)
    assert TOKENS.session_of(token, ORIGIN) == session
    assert TOKENS.session_of(token, "") == ""
    assert TOKENS.session_of(token, "http://localhost:18622") == ""
    assert Tokens(b"x" * 32).session_of(token, ORIGIN) == ""


@given(st.text())
def test_what_we_did_not_issue_opens_nothing(text: str) -> None:
    assert TOKENS.session_of(text, ORIGIN) == ""


@given(st.integers(min_value=0, max_value=75), st.characters(codec="ascii"))
def test_a_token_with_one_character_changed_opens_nothing(at: int, character: str) -> None:
    token = TOKENS.issue("0123456789abcdef0123456789abcdef", ORIGIN)
    changed = token[:at] + character + token[at + 1 :]
    assert changed == token or TOKENS.session_of(changed, ORIGIN) == ""


def test_the_key_is_private_and_stays(tmp_path: Path) -> None:
    key = load_key(tmp_path / "state")
    assert len(key) == 32
    assert load_key(tmp_path / "state") == key
    assert (tmp_path / "state" / "gateway.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["gateway.key"]


def test_a_damaged_key_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "gateway.key").write_bytes(b"")
    assert len(load_key(tmp_path)) == 32


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed, match=r"gateway\.key"):
        load_key(tmp_path / "file")
