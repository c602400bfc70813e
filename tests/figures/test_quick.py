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

from postertui.figures.options import FigureOptions
from postertui.figures.quick import draw_fast
from postertui.figures.render import to_ggplot
from postertui.figures.save import RC_PARAMS
from postertui.figures.source import open_source
from postertui.report.catalogue import draw_named
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
        ("base", FEW, FigureOptions(baselines=("stratified", "always"))),
        ("test-regularization", FEW, FigureOptions(strict=True)),
        ("fc-points", FEW, FigureOptions()),
        ("models", FEW, FigureOptions(palette="okabe-ito")),
        ("l2", seeds(genres=("Comedy",)), FigureOptions(seed_lines=True)),
    ],
)
def test_pixels_are_plotnines(name: str, table: pl.DataFrame, options: FigureOptions) -> None:
    picture = draw_named(name, open_source(table), options)
    with mpl.rc_context(RC_PARAMS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = pixels(to_ggplot(picture, DPI).draw())
        quick = pixels(draw_fast(to_ggplot(picture, DPI)))
    assert np.array_equal(quick, plain)
    assert len(np.unique(quick.reshape(-1, 3), axis=0)) > 10
