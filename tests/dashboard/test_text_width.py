"""Nothing that a name or a log holds can reach the terminal as anything but text."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from postertui.dashboard.terminal.ascii import to_ascii
from postertui.dashboard.text_width import cells, cut_middle, fit, wrap
from postertui.system.text import strip_control_chars, to_single_line

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\x07\r\n\t\u202e\u2066\u200b\ufeff\U000e0041\u0301\u4e2d🎬[]"),
    )
)


@given(HOSTILE)
def test_no_control_character_survives(text: str) -> None:
    line = to_single_line(text)
    assert not [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    kept = strip_control_chars(text)
    assert not [c for c in kept if unicodedata.category(c) == "Cc" and c not in "\n\t"]


def test_an_escape_sequence_leaves_no_trace() -> None:
    assert to_single_line("a\x1b[31mred\x1b]0;title\x07") == "ared"
    assert to_single_line("a\x9b31mb") == "a\ufffd31mb"
    assert to_single_line("one\ntwo\tthree") == "one two three"


def test_a_long_message_keeps_both_ends() -> None:
    assert cut_middle("/a/b: no data", 40, long_end=True) == "/a/b: no data"
    path = f"/{'long' * 90}: no data"
    assert cut_middle(path, 20, long_end=True) == "/longlo…ong: no data"
    assert len(cut_middle("x" * 100, 41, long_end=True)) == 41


def test_long_text_is_cut() -> None:
    assert len(to_single_line("x" * 10_000)) <= 2000


@given(HOSTILE.map(to_single_line), st.integers(0, 40), st.booleans())
def test_fit_gives_exactly_the_width(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(text, width, right=right)) == width


@given(HOSTILE.map(to_single_line))
def test_plain_text_is_ascii_and_as_wide(text: str) -> None:
    assert to_ascii(text).isascii()
    assert len(to_ascii(text)) == cell_len(text)


def test_plain_marks_stay_apart() -> None:
    assert to_ascii("▸✓✗–▲△▽") == ">+x-^~v"
    assert to_ascii("▁▃▅▇█Δ") == "_-+O#d"
    assert to_ascii("╭─╮│") == "+-+|"
    assert to_ascii("café") == "cafe"


WORDS = st.text(st.sampled_from("ab é中国🎬\u3000-"), max_size=60)


@given(WORDS, st.integers(2, 20))
def test_wrapped_lines_fit_and_hold_all_of_the_text(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert lines
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_wrapped_lines_break_between_words() -> None:
    assert wrap("雨の日 の メモ", 6) == ["雨の日", "の", "メモ"]
    assert wrap("雨の日 の メモ", 9) == ["雨の日 の", "メモ"]
    assert wrap("雨の日のメモ", 5) == ["雨の", "日の", "メモ"]
    assert wrap("", 9) == [""]
