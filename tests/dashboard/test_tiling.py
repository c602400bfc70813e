"""How many cells fit, and that those that do are legible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.dashboard.charts.cell import MIN_HEIGHT, MIN_WIDTH
from postertui.dashboard.charts.tiling import scroll_to, tile


@given(
    st.integers(MIN_WIDTH, 300),
    st.integers(MIN_HEIGHT, 100),
    st.integers(1, 18),
    st.integers(1, 7),
    st.booleans(),
    st.integers(0, 12),
)
def test_cells_fit_and_are_legible(
    width: int, height: int, rows: int, columns: int, facet: bool, wanted: int
) -> None:
    tiling = tile(width, height, rows, columns if facet else 1, facet=facet, requested=wanted)
    assert tiling.across * (tiling.width + tiling.gap) - tiling.gap <= width
    assert tiling.down * tiling.height <= height
    assert tiling.width >= MIN_WIDTH
    assert tiling.height >= MIN_HEIGHT


def test_all_18_by_7_cells_at_250_by_120() -> None:
    tiling = tile(250, 120, 18, 7, facet=True)
    assert (tiling.across, tiling.down) == (7, 18)


def test_one_cell_gets_everything() -> None:
    tiling = tile(100, 40, 1, 1, facet=True)
    assert (tiling.width, tiling.height) == (100, 40)


@pytest.mark.parametrize(
    ("offset", "selected", "expected"), [(0, 5, 3), (3, 4, 3), (3, 1, 1), (9, 9, 7)]
)
def test_scrolling_moves_as_little_as_it_can(offset: int, selected: int, expected: int) -> None:
    assert scroll_to(offset, selected, 3, 10) == expected
