"""What follows R: order of levels, panels per row, breaks between breaks, colours."""

from __future__ import annotations

import random

import pytest

from postertui.figures.collation import sort_values
from postertui.figures.palettes import OKABE_ITO, hue_palette, palette_colours
from postertui.figures.picture import wrap_columns
from postertui.figures.render import minor_breaks

#: `levels(factor(x))` in R 4.2.
LEVELS = [
    "1,5", "1.5", "100 epochs Reduce LR on Plateau", "1024 256", "1024 64", "256 256", "256 4",
    "4096 4096", "A", "a b", "a_b", "a-b", "ab", "aB", "base", "Base", "batch128", "batch64",
    "BCE loss", "BCE loss No Reg", "e", "é", "L1=0e", "L1=1e-10", "L1=1e-4", "L1=1e-5", "L2=1e-2",
    "LR decay", "NoReg", "Reduce LR on Plateau", "regularizer", "regularizer L1", "scratch",
    "Thriller", "TV_Movie", "VGG w/16 frozen layers", "VGG w/17 frozen layers", "x(1)", "x[1]",
    "z", "Z",
]  # fmt: skip


def test_text_is_in_the_order_of_rs_factor_levels() -> None:
    shuffled = random.Random(1).sample(LEVELS, len(LEVELS))
    assert sort_values(shuffled) == LEVELS


def test_numbers_are_in_order_of_size_and_what_is_missing_comes_last() -> None:
    assert sort_values([1024, None, 256, 4096, 256, 4]) == [4, 256, 1024, 4096, None]


def test_panels_per_row_are_those_of_facet_wrap() -> None:
    # `ggplot2:::wrap_dims(n)[2]` for n from 1 to 30.
    columns = [1, 2, 3, 2, 3, 3, 3, 3, 3, *[4] * 7, *[5] * 9, *[6] * 5]
    assert [wrap_columns(n) for n in range(1, 31)] == columns


@pytest.mark.parametrize(
    ("breaks", "limits", "expected"),
    [
        ([0, 0.5], (0, 0.6), [0, 0.25, 0.5, 0.75, 1]),
        ([5, 10], (0, 10), [0, 2.5, 5, 7.5, 10]),
        ([-5, 0, 5, 10, 15], (-3, 17), [-5, -2.5, 0, 2.5, 5, 7.5, 10, 12.5, 15, 17.5, 20]),
        ([3], (1, 5), []),
    ],
)
def test_minor_breaks_are_those_of_regular_minor_breaks(
    breaks: list[float], limits: tuple[float, float], expected: list[float]
) -> None:
    assert minor_breaks(breaks, limits) == expected


@pytest.mark.parametrize(
    "colours",
    [
        ["#F8766D"],
        ["#F8766D", "#00BFC4"],
        ["#F8766D", "#00BA38", "#619CFF"],
        ["#F8766D", "#D89000", "#A3A500", "#39B600", "#00BF7D", "#00BFC4", "#00B0F6", "#9590FF",
         "#E76BF3", "#FF62BC"],
    ],
)  # fmt: skip
def test_hues_are_those_of_hue_pal(colours: list[str]) -> None:
    assert hue_palette(len(colours)) == colours


def test_more_series_than_okabe_ito_has_are_still_told_apart() -> None:
    colours = palette_colours("okabe-ito", 12)
    assert colours[:8] == list(OKABE_ITO)
    assert len(set(colours)) == 12
