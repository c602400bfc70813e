"""Drawing quickly gives the pixels that plotnine gives."""

from __future__ import annotations

import io
import warnings
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from PIL import Image

from postertui.figures.options import Options
from postertui.figures.quick import draw_quickly
from postertui.figures.render import to_ggplot
from postertui.figures.save import LOOKS
from postertui.figures.source import open_source
from postertui.report.pictures import draw_named
from tests.support.figure_tables import made, seeds

DPI = 100


FEW = made().filter(pl.col("genre").is_in(["Animation", "Comedy", "Thriller"]))


def pixels(figure: Any) -> Any:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    return np.asarray(Image.open(data).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "table", "options"),
    [
        ("base", FEW, Options(baselines=("stratified", "always"))),
        ("test-regularization", FEW, Options(strict=True)),
        ("fc-points", FEW, Options()),
        ("models", FEW, Options(palette="okabe-ito")),
        ("l2", seeds(genres=("Comedy",)), Options(seed_lines=True)),
    ],
)
def test_pixels_are_plotnines(name: str, table: pl.DataFrame, options: Options) -> None:
    picture = draw_named(name, open_source(table), options)
    with mpl.rc_context(LOOKS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = pixels(to_ggplot(picture, DPI).draw())
        quick = pixels(draw_quickly(to_ggplot(picture, DPI)))
    assert np.array_equal(quick, plain)
    assert len(np.unique(quick.reshape(-1, 3), axis=0)) > 10
