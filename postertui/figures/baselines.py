"""Baselines as lines: the base rate (yes at random), and the all-positive F (always-yes)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from postertui.data.base_rates import always_yes_f
from postertui.figures.options import FigureOptions
from postertui.figures.picture import DASHED, DOTTED, Layer
from postertui.figures.source import FigureSource

Split = Literal["Train", "Test"]
SPLITS: tuple[Split, Split] = ("Train", "Test")

BASE_RATE, ALWAYS_YES = "base rate", "always-yes F"


def coloured_baselines(
    source: FigureSource, genres: Sequence[str], options: FigureOptions
) -> list[Layer]:
    """The lines of `options.baselines` for both splits in their colours, base rates first."""
    return [
        Layer("hline", data.with_columns(pl.lit(split).alias("series")), dash=dash, meaning=meaning)
        for dash, meaning, split, data in _rates(source, genres, options, SPLITS)
    ]


def black_baselines(
    source: FigureSource,
    genres: Sequence[str],
    options: FigureOptions,
    *,
    rate: Split,
    always: Split,
    geom: Literal["hline", "vline"] = "hline",
    weight: float = 1.0,
) -> list[Layer]:
    """The lines of `options.baselines` in black, for where colours mean settings.

    Parameters
    ----------
    source, genres
        Where the base rates come from, and whose are drawn.
    options
        Which of the lines to draw.
    rate, always
        The split whose base rate, and the split whose always-yes F is drawn.
    geom
        `hline` where values go up, `vline` where they go to the right.
    weight
        The lines' width, relative to that of curves.
    """
    return [
        Layer(
            geom,
            data,
            colour="black",
            dash=dash,
            weight=weight,
            meaning=f"{split.lower()} {meaning}",
        )
        for dash, meaning, split, data in _rates(source, genres, options, SPLITS)
        if split == (rate if meaning == BASE_RATE else always)
    ]


def _rates(
    source: FigureSource, genres: Sequence[str], options: FigureOptions, splits: Sequence[Split]
) -> Iterator[tuple[tuple[int, int], str, Split, pl.DataFrame]]:
    """Dash, meaning, split and the height of each genre's line.

    They are of F-scores; the base rate is also the average precision of a random order.
    """
    with_rates = [g for g in source.rates if g in genres]
    if not with_rates or not (options.is_fscore or options.metric == "ap"):
        return
    for baseline, dash, meaning in (
        ("stratified", DASHED, BASE_RATE),
        ("always", DOTTED, ALWAYS_YES),
    ):
        if baseline not in options.baselines or (baseline == "always" and not options.is_fscore):
            continue
        for split in splits:
            rates = [source.rates[g][SPLITS.index(split)] for g in with_rates]
            heights = [always_yes_f(m) for m in rates] if baseline == "always" else rates
            yield dash, meaning, split, pl.DataFrame({"genre": with_rates, "value": heights})
