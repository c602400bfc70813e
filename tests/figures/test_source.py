"""What figures are drawn from."""

from __future__ import annotations

import polars as pl

from postertui.figures.options import FigureOptions
from postertui.figures.source import open_source
from postertui.history.selection import History
from postertui.report import ReportRequest, prepare_pictures
from tests.support.figure_tables import made


def test_two_words_for_one_strength_are_one_panel() -> None:
    """2017's table says `L1=0e`, a log or a new run of the same variant `L1=0`."""
    zero = (pl.col("name") == "l1-0") & (pl.col("genre") == "Crime")
    mixed = made().with_columns(
        Regularizer=pl.when(zero).then(pl.lit("L1=0")).otherwise("Regularizer")
    )
    assert set(mixed.filter(name="l1-0")["Regularizer"]) == {"L1=0", "L1=0e"}
    assert open_source(mixed).table.equals(open_source(made()).table)
    request = ReportRequest(compare=("Regularizer",), options=FigureOptions(strict=True))
    ((picture, _),), _ = prepare_pictures(History(mixed), request)
    ((published, _),), _ = prepare_pictures(History(made()), request)
    assert picture.marks().equals(published.marks())


def test_other_labels_of_one_name_stay_apart() -> None:
    other = made().with_columns(
        Regularizer=pl.when(pl.col("genre") == "Crime")
        .then(pl.lit("L2=1e-2"))
        .otherwise("Regularizer")
    )
    assert open_source(other).table["Regularizer"].equals(other["Regularizer"])
