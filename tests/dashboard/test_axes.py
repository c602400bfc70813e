"""Ranges hold their values; ticks are where they say and do not run into each other."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from postertui.dashboard.charts.axes import TINY, x_ticks, y_range, y_ticks

finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(st.one_of(finite, st.just(math.nan)), max_size=20), st.booleans(), st.booleans())
def test_a_range_holds_its_values(values: list[float], log: bool, from_zero: bool) -> None:
    scale = y_range(values, log=log, from_zero=from_zero)
    assert scale.low < scale.high
    for value in values:
        if math.isfinite(value) and (value > TINY or not log):
            assert -1e-6 <= scale.fraction(value) <= 1 + 1e-6


def test_scores_begin_at_zero_and_end_round() -> None:
    scale = y_range([0.21, 0.43], from_zero=True)
    assert (scale.low, scale.high) == (0.0, 0.5)


@given(st.lists(finite, min_size=1, max_size=5), st.integers(1, 20), st.booleans())
def test_ticks_are_where_they_say(values: list[float], rows: int, log: bool) -> None:
    scale = y_range(values, log=log)
    ticks = y_ticks(scale, rows)
    assert ticks
    assert all(0 <= row < rows for row in ticks)
    assert all(len(label) <= 7 for label in ticks.values())


def test_y_labels_of_a_small_cell() -> None:
    assert y_ticks(y_range([0.0, 0.5]), 4) == {0: ".5", 3: "0"}
    # .5 would be between two rows.
    assert y_ticks(y_range([0.0, 0.97]), 4) == {0: "1", 3: "0"}
    assert y_ticks(y_range([0.0, 0.97]), 5) == {0: "1", 2: ".5", 4: "0"}


def test_y_labels_of_a_tall_cell_leave_none_out() -> None:
    fifths = {0: "1", 2: ".8", 4: ".6", 7: ".4", 9: ".2", 11: "0"}
    assert y_ticks(y_range([0.0, 0.97]), 12) == fifths
    assert list(y_ticks(y_range([0.0, 0.6]), 12).values()) == [".6", ".4", ".2", "0"][::-1]
    assert list(y_ticks(y_range([0.0, 0.97]), 20).values())[::-1] == list(fifths.values())


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 200))
def test_epoch_labels_keep_apart(first: int, more: int, columns: int) -> None:
    last = first + more
    free = 0
    for column, label in x_ticks(first, last, columns):
        assert column >= free
        assert first <= int(label) <= last
        free = column + len(label) + 1
        assert column + len(label) <= max(columns, len(label))
