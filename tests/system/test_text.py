"""Text from files never moves the cursor, colours, or turns the terminal around."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.system.text import strip_control_chars

alphabet = st.one_of(st.characters(codec="utf-8"), st.sampled_from("\x1b\x9b\x07[]0;m\\\r\n"))


@given(st.text(alphabet, max_size=100))
def test_nothing_is_left_that_a_terminal_acts_on(text: str) -> None:
    line = strip_control_chars(text)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in line)
    assert not any(c in line for c in "\u061c\u200e\u200f\u202a\u202e\u2066\u2069")
    assert strip_control_chars(line) == line


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), codec="utf-8"), max_size=60))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert strip_control_chars(text) == text


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\x", "x"),
        ("10%\r20%\r\n", "10%\n20%\n"),
        ("a\x1b(Bb", "ab"),
        ("a\x9b31mb", "a\N{REPLACEMENT CHARACTER}31mb"),
        ("bell\x07", "bell\N{REPLACEMENT CHARACTER}"),
        ("lone \x1b", "lone \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_known_sequences(text: str, made: str) -> None:
    assert strip_control_chars(text) == made
