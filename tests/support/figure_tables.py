"""Tables to draw from: the published one where it is, and made-up ones with every kind of row."""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from postertui.history.reading import read_table
from postertui.history.schema import normalise

HERE = Path(__file__).parent
FILES = HERE / "files"
#: All variants of 2017 in a few genres and epochs, with gaps, repeats and values off the scale.
MADE = FILES / "history.tsv"
#: What ggplot2 3.4.1 builds of `MADE`, by `Rscript benchmarks/figures.R build MADE FOLDER`.
GGPLOT2 = zipfile.Path(FILES / "ggplot2.zip")

PUBLISHED = HERE.parents[2] / "shared/data/published"


@cache
def made() -> pl.DataFrame:
    return read_table(MADE)


@cache
def published() -> pl.DataFrame:
    return read_table(PUBLISHED / "model_perf.tsv")


def seeds(n: int = 4, genres: tuple[str, ...] = ("Comedy", "Drama")) -> pl.DataFrame:
    """`n` seeds of base and of L2 1e-2, five epochs each; the values are known by formula."""
    noise = np.random.default_rng(3)
    rows = [
        {
            "variant": "base" if label == "L1=1e-5" else "regularizer L2",
            "Regularizer": label,
            "FC1": 256,
            "FC2": 256,
            "genre": genre,
            "seed": seed,
            "run": f"{genre}-{label}-{seed}",
            "epoch": epoch,
            "train_fscore": 0.3 + 0.02 * epoch + noise.normal(0, 0.02),
            "test_fscore": 0.3 + noise.normal(0, 0.02),
        }
        for genre in genres
        for label in ("L1=1e-5", "L2=1e-2")
        for seed in range(n)
        for epoch in range(1, 6)
    ]
    return normalise(pl.DataFrame(rows))
