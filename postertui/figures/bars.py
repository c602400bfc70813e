"""What a dummy reaches, as lines: the base rate (yes at random), and F of always saying yes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from postertui.data.dataset import always_yes_f
from postertui.figures.options import Options
from postertui.figures.picture import DASHED, DOTTED, Layer
from postertui.figures.source import Source

Split = Literal["Train", "Test"]
SPLITS: tuple[Split, Split] = ("Train", "Test")

BASE_RATE, ALWAYS_YES = "base rate", "F of always saying yes"


def coloured_bars(source: Source, genres: Sequence[str], options: Options) -> list[Layer]:
    """The bars of `options.baselines` for both splits in their colours, base rates first."""
    return [
        Layer("hline", data.with_columns(pl.lit(split).alias("series")), dash=dash, meaning=meaning)
        for dash, meaning, split, data in _rates(source, genres, options, SPLITS)
    ]


def black_bars(
    source: Source,
    genres: Sequence[str],
    options: Options,
    *,
    rate: Split,
    always: Split,
    geom: Literal["hline", "vline"] = "hline",
    weight: float = 1.0,
) -> list[Layer]:
    """The bars of `options.baselines` in black, for where colours mean settings.

    The base rate is that of the split `rate`, always-yes F that of `always`.
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
    source: Source, genres: Sequence[str], options: Options, splits: Sequence[Split]
) -> Iterator[tuple[tuple[int, int], str, Split, pl.DataFrame]]:
    """Dash, meaning, split and per genre the height of each bar.

    They are of F-scores; the base rate is also the average precision of a random order.
    """
    known = [g for g in source.rates if g in genres]
    if not known or not (options.is_fscore or options.metric == "ap"):
        return
    for baseline, dash, meaning in (
        ("stratified", DASHED, BASE_RATE),
        ("always", DOTTED, ALWAYS_YES),
    ):
        if baseline not in options.baselines or (baseline == "always" and not options.is_fscore):
            continue
        for split in splits:
            rates = [source.rates[g][SPLITS.index(split)] for g in known]
            heights = [always_yes_f(m) for m in rates] if baseline == "always" else rates
            yield dash, meaning, split, pl.DataFrame({"genre": known, "value": heights})
