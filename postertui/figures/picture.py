"""A figure as plain data: which marks, in which panels, on which axes. No plotting library here.

A `Picture` is what is drawn and what its CSV says, so the two cannot differ.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import polars as pl

from postertui.figures.collation import sort_values

Geom = Literal[
    "line", "hline", "vline", "point", "letter", "ribbon", "note", "text", "dot", "span", "bar",
    "tile",
]  # fmt: skip

#: Whether a vertex of a line is visible, or why not.
DRAWN, UNDEFINED, BEYOND, ISOLATED = "drawn", "undefined", "beyond the limits", "isolated"


#: R's dash pattern `dashed`, and a finer one, in line widths.
DASHED, DOTTED = (4, 4), (1, 2)


@dataclass(frozen=True)
class Axis:
    """An axis: its title, limits in data units and breaks. None: what the data suggest.

    With `labels` it is a list instead, with places for them at 1, 2, 3 …
    """

    label: str
    limits: tuple[float, float] | None = None
    breaks: tuple[float, ...] | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """Marks of one kind.

    `data` holds facet columns (those that place the marks; a mark without one is repeated over
    it), `series` where the colour means something, `history` where lines share a colour, and by
    geom: line, point, letter `epoch` `value`; hline, vline `value`; ribbon `epoch` `low` `high`;
    note (hangs from its place) and text (around it) `epoch` `value` `label`; bar (from 0 up)
    `epoch` `value`; tile `epoch` `value` `opacity`; dot `value` `label` and span `low` `high`
    `label`, which lie along at the place of their label. Line vertices carry `visibility`.
    Colours are `#RRGGBB` or names. `meaning` is what the marks stand for where no legend says it.
    """

    geom: Geom
    data: pl.DataFrame
    colour: str | None = None
    dash: tuple[int, int] | None = None
    weight: float = 1.0
    opacity: float = 1.0
    meaning: str = ""

    @property
    def look(self) -> str:
        """How it looks, in a word for the caption."""
        if self.dash is not None:
            return {DASHED: "dashed", DOTTED: "dotted"}[self.dash]
        return {"span": "bar"}.get(self.geom, "thin line" if self.weight < 1 else self.geom)


@dataclass(frozen=True)
class Facets:
    """Panels: `rows` by `columns`, or, without rows and `wrap`, one after the other.

    `levels` gives the values of every facet column in order.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    levels: Mapping[str, Sequence[Any]]
    wrap: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        return (*self.rows, *self.columns)


@dataclass(frozen=True)
class FacetPanel:
    """One panel: its number and place, counted from 1, and its values of the facet columns."""

    number: int
    row: int
    column: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Hidden:
    """How many points of a split are not drawn, and why."""

    split: str
    cause: str
    count: int

    def __str__(self) -> str:
        return f"{self.count} {self.split} {self.cause}"


@dataclass(frozen=True)
class Picture:
    """One figure.

    Parameters
    ----------
    colours
        Series to colour, in the order of the legend.
    size
        In inches.
    x_column
        What the CSV calls the column `epoch` of the layers, where it is something else.
    hidden
        What is not drawn, and why.
    """

    name: str
    title: str
    facets: Facets
    layers: tuple[Layer, ...]
    x: Axis
    y: Axis
    colours: Mapping[str, str]
    legend: str
    size: tuple[float, float]
    x_column: str = "epoch"
    letters: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[Hidden, ...] = ()
    notes: tuple[str, ...] = ()
    strict: bool = False

    @property
    def texts(self) -> list[str]:
        """All words that are drawn, each once: titles, labels, strips, the legend's, notes."""
        labels = [
            value
            for layer in self.layers
            for name in ("label", "series")
            if name in layer.data.columns
            for value in layer.data[name].unique(maintain_order=True)
        ]
        strips = [value for values in self.facets.levels.values() for value in values]
        words = [
            self.title, self.legend, self.caption, self.x.label, self.y.label,
            *self.x.labels, *self.y.labels, *self.colours, *strips, *labels,
        ]  # fmt: skip
        return list(dict.fromkeys(str(word) for word in words if word is not None))

    @property
    def caption(self) -> str:
        """What marks mean that no legend names; R's figures have no caption."""
        meanings = [f"{x.look}: {x.meaning}" for x in self.layers if x.meaning and not self.strict]
        return "; ".join(dict.fromkeys(meanings))

    @cached_property
    def panels(self) -> list[FacetPanel]:
        """All panels in order, row by row, with those that have no marks."""
        rows = self._combinations(self.facets.rows)
        columns = self._combinations(self.facets.columns)
        places = list(itertools.product(rows, columns))
        width = wrap_columns(len(columns)) if self.facets.wrap else len(columns)
        names = self.facets.variables
        return [
            FacetPanel(
                i + 1, i // width + 1, i % width + 1, dict(zip(names, (*row, *column), strict=True))
            )
            for i, (row, column) in enumerate(places)
        ]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of panels."""
        last = self.panels[-1]
        return last.row, max(p.column for p in self.panels)

    def _combinations(self, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
        if not names:
            return [()]
        frames = [
            layer.data.select(names).unique()
            for layer in self.layers
            if set(names) <= set(layer.data.columns)
        ]
        present = {row for frame in frames for row in frame.iter_rows()}
        order = [{v: i for i, v in enumerate(self.facets.levels[n])} for n in names]
        return sorted(present, key=lambda row: [o[v] for o, v in zip(order, row, strict=True)])

    def marks(self) -> pl.DataFrame:
        """Exactly the marks that are drawn, one a row, in drawing order.

        Columns: `layer` (1 is drawn first), `mark`, `panel`, the facet columns, `series`,
        `history`, `colour`, `epoch`, `value`, `low`, `high`, `label`; those that no mark has are
        left out.
        """
        panels = pl.DataFrame(
            [{"panel": p.number, **p.values} for p in self.panels], infer_schema_length=None
        )
        frames = [
            self._layer_marks(number, layer, panels) for number, layer in enumerate(self.layers, 1)
        ]
        marks = pl.concat([f for f in frames if not f.is_empty()] or frames, how="diagonal_relaxed")
        order = ["layer", "mark", "panel", *self.facets.variables, "series", "history", "colour"]
        order += ["epoch", "value", "low", "high", "label"]
        shown = [c for c in order if c in marks.columns and not _is_blank(marks[c])]
        return marks.select(shown).rename({"epoch": self.x_column}, strict=False)

    def _layer_marks(self, number: int, layer: Layer, panels: pl.DataFrame) -> pl.DataFrame:
        data = layer.data
        if "visibility" in data.columns:
            data = data.filter(pl.col("visibility") == DRAWN).drop("visibility")
        place = [c for c in self.facets.variables if c in data.columns]
        data = (
            data.join(panels, on=place, how="inner", nulls_equal=True)
            if place
            else data.join(panels, how="cross")
        )
        colour: pl.Expr = pl.lit(layer.colour)
        if "series" in data.columns:
            colour = pl.col("series").replace_strict(dict(self.colours), return_dtype=pl.String)
        if layer.meaning and "label" not in data.columns:
            data = data.with_columns(pl.lit(layer.meaning).alias("label"))
        return data.with_columns(
            pl.lit(number).alias("layer"), pl.lit(layer.geom).alias("mark"), colour.alias("colour")
        ).sort("panel", maintain_order=True)


def wrap_columns(n: int) -> int:
    """How many columns R's `facet_wrap` gives `n` panels (`grDevices::n2mfrow`, transposed)."""
    if n <= 3:
        return max(n, 1)
    if n <= 6:
        return (n + 1) // 2
    if n <= 12:
        return (n + 2) // 3
    root = 1
    while root * root < n:
        root += 1
    return root


def levels_of(frames: Sequence[pl.DataFrame], names: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each column over all frames that have it, in R's order."""
    return {
        name: sort_values(
            v for f in frames if name in f.columns for v in f[name].unique().to_list()
        )
        for name in names
    }


def count_hidden(
    frames: Sequence[pl.DataFrame], *, points_for_isolated: bool
) -> tuple[Hidden, ...]:
    """The vertices of line data that are not drawn, by `series` and cause."""
    counts: Counter[tuple[str, str]] = Counter()
    for frame in frames:
        lost = frame.filter(pl.col("visibility") != DRAWN)
        for series, visibility, count in lost.group_by("series", "visibility").len().iter_rows():
            if not (points_for_isolated and visibility == ISOLATED):
                counts[series, visibility] += count
    return tuple(Hidden(s, c, n) for (s, c), n in sorted(counts.items()))


def _is_blank(column: pl.Series) -> bool:
    return column.null_count() == len(column)
