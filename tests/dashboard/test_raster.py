"""Curves to dots: gaps, lone points, and who wins a character."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from postertui.dashboard.charts.raster import DOTTED, EMPTY, PATTERNS, Raster

NAN = float("nan")


def columns_of(raster: Raster, owner: int) -> set[int]:
    """The columns of characters that show `owner`."""
    _, owners = raster.render()
    return {int(x) for x in np.nonzero(owners == owner)[1]}


def test_nan_is_a_gap() -> None:
    raster = Raster(20, 4)
    y = np.array([0.5, 0.5, 0.5, NAN, NAN, NAN, 0.5, 0.5, 0.5])
    raster.curve(np.linspace(0, 1, 9), y, 0)
    drawn_columns = columns_of(raster, 0)
    assert {0, 1, 2, 3, 4} <= drawn_columns
    assert {15, 16, 17, 18, 19} <= drawn_columns
    assert not drawn_columns & {7, 8, 9, 10, 11, 12}


def test_a_point_between_gaps_is_a_dot() -> None:
    raster = Raster(20, 4)
    raster.curve(np.linspace(0, 1, 3), np.array([NAN, 0.5, NAN]), 0)
    codes, owners = raster.render()
    assert (owners == 0).sum() == 1
    # Two by two dots, to be seen among lines.
    assert (int(codes[owners == 0][0]) - 0x2800).bit_count() == 4


def test_data_wins_every_character_it_touches() -> None:
    raster = Raster(10, 1)
    raster.curve(np.array([0.0, 0.5]), np.array([0.5, 0.5]), 1)
    raster.level(0.5, 0)
    _, owners = raster.render()
    assert owners[0, :5].tolist() == [1] * 5
    assert 0 in owners[0, 6:].tolist()


def test_a_level_outside_is_not_drawn() -> None:
    raster = Raster(10, 2)
    raster.level(1.2, 0)
    assert (raster.render()[1] == EMPTY).all()


def test_steep_curves_have_no_holes() -> None:
    raster = Raster(4, 12)
    raster.curve(np.array([0.0, 0.3, 1.0]), np.array([0.0, 1.0, 1.0]), 0)
    _, owners = raster.render()
    assert {int(y) for y in np.nonzero(owners == 0)[0]} == set(range(12))


def test_what_is_drawn_is_where_the_value_is() -> None:
    raster = Raster(10, 10)
    raster.curve(np.array([0.0, 1.0]), np.array([0.9, 0.9]), 0)
    _, owners = raster.render()
    assert {int(y) for y in np.nonzero(owners == 0)[0]} == {1}


values = st.one_of(st.floats(-2, 3), st.just(NAN))


@given(
    st.integers(1, 60),
    st.integers(1, 12),
    st.lists(values, min_size=1, max_size=200),
    st.booleans(),
)
def test_any_curve_can_be_drawn(width: int, height: int, y: list[float], plain: bool) -> None:
    raster = Raster(width, height, ascii_only=plain)
    x = np.linspace(0, 1, len(y)) if len(y) > 1 else np.array([0.5])
    raster.curve(x, np.array(y), 0)
    raster.band(x, np.array(y) - 0.1, np.array(y) + 0.1, 1)
    codes, owners = raster.render()
    assert codes.shape == owners.shape == (height, width)
    defined = [v for v in y if v == v]
    if defined and all(0 <= v <= 1 for v in defined):
        assert (owners == 0).any()


def test_more_points_than_columns_keep_their_extremes() -> None:
    y = np.full(1000, 0.5)
    y[500] = 1.0
    raster = Raster(10, 8)
    raster.curve(np.linspace(0, 1, 1000), y, 0)
    assert (raster.render()[1][0] == 0).any()


@given(
    st.integers(1, 60),
    st.integers(1, 12),
    st.lists(st.lists(values, max_size=80), max_size=6),
    st.booleans(),
)
def test_many_curves_at_once_are_as_one_after_the_other(
    width: int, height: int, ys: list[list[float]], plain: bool
) -> None:
    lines = [(np.linspace(0, 1, len(y)), np.array(y, dtype=np.float64)) for y in ys]
    patterns = [(*PATTERNS, DOTTED)[i % 5] for i in range(len(ys))]
    single, together = (Raster(width, height, ascii_only=plain) for _ in range(2))
    for owner, (x, y) in enumerate(lines):
        single.curve(x, y, owner, patterns[owner])
    together.curves(
        np.concatenate([np.empty(0), *(x for x, _ in lines)]),
        np.concatenate([np.empty(0), *(y for _, y in lines)]),
        [len(y) for y in ys],
        range(len(ys)),
        patterns,
    )
    for one, other in zip(single.render(), together.render(), strict=True):
        assert (one == other).all()
