"""The gate: what plotnine builds of each figure is what ggplot2 built."""

from __future__ import annotations

import copy
import zipfile
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import plotnine
import polars as pl
import pytest
from matplotlib.collections import LineCollection

import postertui
from postertui.figures.options import FigureOptions
from postertui.figures.published import draw_published, published_names
from postertui.figures.source import open_source
from postertui.report import FIGURES
from postertui.system.errors import UserError
from tests.support.figure_tables import GGPLOT2, PUBLISHED, made, published
from tests.support.ggplot2_built import build, differences, read_reference

p9: Any = plotnine

#: The figures that ggplot2 built of the published table, and the names of their files.
KEPT = {"base": "base", "fc": "fc", "l1": "l1", "scratch": "scratch", "frozen-layers": "vgg"}


def test_the_fifteen_figures_come_before_the_dot_plot_and_those_of_predictions() -> None:
    assert FIGURES[:15] == published_names() == (
        "base", "fc", "fc-points", "l1", "l2", "loss", "learning-rate", "long-run", "scratch",
        "frozen-layers", "test-regularization", "test-learning-rate", "test-fc",
        "test-frozen-layers", "test-loss",
    )  # fmt: skip
    beside = {"models", "precision-recall", "roc", "calibration", "threshold", "confusion"}
    assert beside <= set(FIGURES[15:])


@dataclass(frozen=True)
class Reference:
    """A table, and where the record lies of what ggplot2 built of it."""

    table: Callable[[], pl.DataFrame]
    folder: Path | zipfile.Path
    file: str


#: By what a test's name ends with: the made-up table everywhere, the published one where it is.
REFERENCES = {
    **{name: (name, Reference(made, GGPLOT2, name)) for name in published_names()},
    **(
        {
            f"published-{name}": (name, Reference(published, PUBLISHED / "figures", file))
            for name, file in KEPT.items()
        }
        if PUBLISHED.exists()
        else {}
    ),
}


def references(names: Collection[str]) -> pytest.MarkDecorator:
    chosen = {label: pair for label, pair in REFERENCES.items() if pair[0] in names}
    return pytest.mark.parametrize(("name", "reference"), chosen.values(), ids=chosen.keys())


@references(published_names())
def test_built_data_equals_r(name: str, reference: Reference) -> None:
    plot = postertui.draw(name, reference.table(), strict=True)
    assert differences(plot, *read_reference(reference.folder, reference.file)) == []


def without_scale(plot: Any, axis: str) -> Any:
    plot = copy.deepcopy(plot)
    plot.scales[:] = [scale for scale in plot.scales if axis not in scale.aesthetics]
    return plot


#: What a wrong port would get wrong, each alone.
SPOILT: dict[str, Callable[[Any], Any]] = {
    "colours": lambda plot: (
        without_scale(plot, "color")
        + p9.scale_color_manual(["#00BFC4", "#F8766D"], limits=["Test", "Train"], name="colour")
    ),
    "breaks": lambda plot: without_scale(plot, "x") + p9.scale_x_continuous(breaks=[5, 10]),
    "limits": lambda plot: (
        without_scale(plot, "y") + p9.scale_y_continuous(limits=(0, 0.7), breaks=(0, 0.5))
    ),
    "title": lambda plot: plot + p9.labs(title="F-Score"),
    "size": lambda plot: plot + p9.theme(figure_size=(7, 8)),
    "panels": lambda plot: plot + p9.facet_wrap("genre"),
    "one mark more": lambda plot: plot + p9.geom_hline(yintercept=0.5),
}


@pytest.mark.parametrize("part", SPOILT)
def test_the_gate_sees_a_difference(part: str) -> None:
    plot = postertui.draw("loss", made(), strict=True)
    assert differences(SPOILT[part](plot), *read_reference(GGPLOT2, "loss"))


def test_the_gate_sees_a_mark_that_moved_in_the_ninth_decimal() -> None:
    moved = made().with_columns(pl.col("train_fscore") + 1e-9)
    plot = postertui.draw("loss", moved, strict=True)
    assert differences(plot, *read_reference(GGPLOT2, "loss"))


def strokes_of_layer(marks: list[dict[str, str]], layer: int) -> dict[str, int]:
    """What R draws of a layer of lines: points, unbroken runs of them, and runs that have a stroke.

    A value that is undefined or beyond the limits has no y and breaks its line; a run of a single
    point has no stroke.
    """
    lines: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for mark in marks:
        if mark["layer"] == str(layer):
            lines[mark["PANEL"], mark["group"]].append(mark["y"] not in ("", "NA", "NaN"))
    lengths = [
        len(list(run)) for defined in lines.values() for is_run, run in groupby(defined) if is_run
    ]
    return {
        "rows": sum(map(len, lines.values())),
        "points": sum(lengths),
        "runs": len(lengths),
        "strokes": sum(length > 1 for length in lengths),
    }


@references(KEPT)
def test_what_r_does_not_show_is_counted_by_cause(name: str, reference: Reference) -> None:
    record, marks = read_reference(reference.folder, reference.file)
    picture = draw_published(name, open_source(reference.table()), FigureOptions(strict=True))
    lost = {(hidden.split, hidden.cause): hidden.count for hidden in picture.hidden}
    counted_by_r = {layer["layer"]: layer for layer in record.get("drawn", ())}
    for layer, split in enumerate(("Train", "Test"), start=1):
        drawn = strokes_of_layer(marks, layer)
        assert drawn.items() <= counted_by_r.get(layer, drawn).items()
        absent = lost.get((split, "undefined"), 0) + lost.get((split, "beyond the limits"), 0)
        assert absent == drawn["rows"] - drawn["points"]
        assert lost.get((split, "isolated"), 0) == drawn["runs"] - drawn["strokes"]


def test_lines_and_dashes_are_as_wide_as_in_r() -> None:
    figure: Any = postertui.draw("loss", made(), strict=True).draw()
    lines = [line for ax in figure.axes for line in ax.lines if len(line.get_xdata()) > 1]
    dashes: list[Any] = [
        c for ax in figure.axes for c in ax.collections if isinstance(c, LineCollection)
    ]
    assert {round(float(line.get_linewidth()), 2) for line in lines} == {1.07}
    for collection in dashes:
        (width,), ((_, pattern),) = collection.get_linewidths(), collection.get_linestyles()
        assert (round(width, 2), [round(on / width) for on in pattern]) == (1.07, [4, 4])


def test_a_notebook_gets_a_plot_that_it_can_change() -> None:
    plot = postertui.draw("loss", made()) + plotnine.labs(title="Mine")
    assert isinstance(plot, plotnine.ggplot)
    assert build(plot).labels.title == "Mine"


def test_an_unknown_figure_is_named_beside_those_there_are() -> None:
    with pytest.raises(UserError, match=r"figure `l3`: there are base, fc, .*, models"):
        postertui.draw("l3", made())


def test_strict_goes_with_no_other_look() -> None:
    with pytest.raises(UserError, match="leave out --palette"):
        FigureOptions(strict=True, palette="okabe-ito")
