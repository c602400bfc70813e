"""How a cell is drawn: plot, axes, cursor, letters and names of curves."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from postertui.dashboard.charts.axes import Range
from postertui.dashboard.charts.captions import header
from postertui.dashboard.charts.cell import draw_cell
from postertui.dashboard.charts.highlights import MOST, highlight
from postertui.dashboard.charts.panels import (
    Curve,
    Panel,
)
from postertui.dashboard.charts.plot import PlotSettings, spread_rows
from postertui.dashboard.state.view_options import ViewOptions


def look(**changes: object) -> PlotSettings:
    return PlotSettings(**({"epochs": (1, 10), "scale": Range(0.0, 0.5)} | changes))  # type: ignore[arg-type]


def rows_of(panel: Panel, width: int, height: int, look_: PlotSettings) -> list[str]:
    rows = draw_cell(panel, ((" " * width, "title"),), width, height, look_)
    return ["".join(text for text, _ in row) for row in rows]


def line(y: list[float]) -> Panel:
    return Panel(curves=(Curve("test", 0, np.arange(1.0, len(y) + 1), np.array(y)),))


def test_a_cell_of_six_rows_has_four_of_plot() -> None:
    rows = rows_of(line([0.02, 0.48] * 5), 20, 6, look())
    assert len(rows) == 6
    plotted = [row[5:] for row in rows[1:5]]
    assert all(set(row) & {chr(c) for c in range(0x2801, 0x2900)} for row in plotted)
    assert rows[5].split() == ["1", "10"]


@given(
    st.integers(20, 80),
    st.integers(6, 24),
    st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=30),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 10)),
)
def test_every_row_is_as_wide_as_the_cell(
    width: int, height: int, y: list[float], plain: bool, cursor: int | None
) -> None:
    drawn = rows_of(line(y), width, height, look(ascii_only=plain, cursor=cursor))
    assert len(drawn) == height
    assert {cell_len(row) for row in drawn} == {width}
    if plain:
        assert all(row.replace("│", "|").isascii() for row in drawn)


def test_the_cursor_is_at_its_epoch() -> None:
    rows = draw_cell(line([0.2] * 10), ((" " * 25, "title"),), 25, 6, look(cursor=10))
    at = 0
    marked = set()
    for text, style in rows[1]:
        if style.endswith("+cursor"):
            marked |= set(range(at, at + len(text)))
        at += len(text)
    assert marked == {24}


def test_overlaid_curves_end_in_their_letter_and_differ_in_ascii() -> None:
    curves = tuple(
        Curve("test", group, np.arange(1.0, 11), np.full(10, 0.1 + 0.2 * group))
        for group in range(2)
    )
    rows = rows_of(Panel(curves=curves), 40, 10, look(overlaid=True, letters=True))
    assert sum(row.count("a") for row in rows) == sum(row.count("b") for row in rows) == 1
    plain = rows_of(Panel(curves=curves), 40, 10, look(overlaid=True, ascii_only=True))
    assert sum(row.count("A") for row in plain) > 5
    assert sum(row.count("B") for row in plain) > 5


def test_few_curves_are_in_colour_and_the_rest_is_counted() -> None:
    groups = tuple(f"v{i}" for i in range(20))
    few = highlight(groups, ["v12", "v0", "v12", "gone", "v3"])
    assert few.names == ("v12", "v0", "v3")
    assert (few.place(12), few.place(5), few.others) == (0, None, 17)
    assert len(highlight(groups, groups).names) == MOST
    assert highlight(groups[:5], ["v3"]).names == groups[:5]
    words = "".join(t for t, _ in header(ViewOptions(mode="overlay"), few, "", 120, False))
    assert "a━ v12" in words
    assert "17 more grey" in words
    narrow = "".join(t for t, _ in header(ViewOptions(mode="overlay"), few, "", 50, False))
    assert "+" in narrow
    assert "17 more grey" in narrow


def test_names_stand_at_the_ends_of_the_curves_each_in_a_row_of_its_own() -> None:
    groups = tuple(f"variant-{i}" for i in range(20))
    curves = tuple(
        Curve("test", group, np.arange(1.0, 11), np.full(10, 0.3 + 0.001 * group))
        for group in range(20)
    )
    few = highlight(groups, ["variant-7", "variant-0", "variant-19"])
    settings = look(overlaid=True, letters=True, highlights=few)
    rows = draw_cell(Panel(curves=curves), ((" " * 60, "title"),), 60, 12, settings)
    named = {text.strip(): style for row in rows for text, style in row if "variant" in text}
    assert named == {"a variant-7": "group-0", "b variant-0": "group-1", "c variant-19": "group-2"}
    # Grey ones are behind those in colour, and there.
    styles = {style for row in rows for text, style in row if text.strip()}
    assert {"other", "group-0"} <= styles
    assert {cell_len("".join(t for t, _ in row)) for row in rows} == {60}


@given(st.lists(st.integers(0, 9), max_size=14))
def test_rows_are_spread_without_overlap(rows: list[int]) -> None:
    spread = spread_rows(sorted(rows), 10)
    assert len(spread) == min(len(rows), 10) == len(set(spread))
    assert spread == sorted(spread)
    assert all(0 <= row < 10 for row in spread)
