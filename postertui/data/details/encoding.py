"""Details as numbers: encoders fitted on the training cohorts, kept with the run as JSON.

A number becomes its standard score (of log1p where it is skewed) and 0 where it is missing. A
category becomes one 0 or 1 for each frequent value; a list or a text one for each of its commonest
items or words. Each column has an indicator of missing values beside that. A category that training
never saw is none of its values, and not missing.
"""

from __future__ import annotations

import re

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.details.info import ColumnKind
from postertui.data.details.table import Details, Ids
from postertui.system.errors import UserError

#: The fewest training posters of a category.
FEWEST_OF_CATEGORY = 20

#: How many items of a list or words of a text count, the commonest.
MOST_ITEMS = 300

#: An item that fewer training posters have says nothing about others.
FEWEST_OF_ITEM = 2

#: A number of a larger skewness is taken as log1p, where that lessens it.
SKEWED = 2.0

_WORD = re.compile(r"[^\W_]{2,}")


class ColumnEncoder(msgspec.Struct, frozen=True, kw_only=True):
    """How one column becomes numbers.

    Attributes
    ----------
    values
        Categories, items or words, one output each.
    log, mean, deviation
        Of a number: whether of its log1p, and the training cohorts' mean and standard deviation.
    """

    name: str
    kind: ColumnKind
    values: tuple[str, ...] = ()
    log: bool = False
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def width(self) -> int:
        """The number of outputs, the indicator of missing values included."""
        return 1 + (1 if self.kind == "number" else len(self.values))

    def encode(self, column: pl.Series) -> NDArray[np.float32]:
        """The column's n values as numbers, (n, width)."""
        missing = column.is_null().to_numpy().astype(np.float32)[:, None]
        if self.kind == "number":
            numbers = column.fill_null(0.0).to_numpy().astype(np.float64)[:, None]
            if self.log:
                numbers = np.log1p(np.maximum(numbers, 0))
            scores = (numbers - self.mean) / self.deviation
            return np.hstack([np.where(missing, 0, scores), missing]).astype(np.float32)
        encoded = np.zeros((len(column), self.width), np.float32)
        place = {value: i for i, value in enumerate(self.values)}
        for row, items in enumerate(items_of(column, self.kind)):
            for item in items:
                if (i := place.get(item)) is not None:
                    encoded[row, i] = 1
        encoded[:, -1:] = missing
        return encoded


class DetailsEncoder(msgspec.Struct, frozen=True):
    """The encoders of a run's columns, in the order of their outputs."""

    columns: tuple[ColumnEncoder, ...]

    @property
    def width(self) -> int:
        """The number of outputs."""
        return sum(column.width for column in self.columns)

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """The columns' kinds by name."""
        return {column.name: column.kind for column in self.columns}

    @property
    def slices(self) -> dict[str, slice]:
        """Where each column's outputs lie."""
        ends = np.cumsum([0, *(column.width for column in self.columns)]).tolist()
        return {c.name: slice(*ends[i : i + 2]) for i, c in enumerate(self.columns)}

    def encode(self, details: Details, ids: Ids) -> NDArray[np.float32]:
        """The details of the posters `ids`, (n, width); all missing for one without any."""
        rows = details.rows(ids)
        return np.hstack([column.encode(rows[column.name]) for column in self.columns])


NO_DETAILS = DetailsEncoder(())


def items_of(column: pl.Series, kind: ColumnKind) -> list[list[str]]:
    """The categories, items or words of each cell; none where it is missing."""
    cells = column.to_list()
    match kind:
        case "list":
            return [cell or [] for cell in cells]
        case "text":
            return [_WORD.findall(cell.lower()) if cell else [] for cell in cells]
        case _:
            return [[] if cell is None else [cell] for cell in cells]


def fit_encoder(
    details: Details, columns: tuple[str, ...], training: Ids
) -> tuple[DetailsEncoder, tuple[str, ...]]:
    """The encoders of columns, and the columns that have none.

    Those are the same for all training posters with details.

    Parameters
    ----------
    training
        (n,) ids of the training posters, on which they are fitted.

    Raises
    ------
    UserError
        Where no training poster has details.
    """
    rows = details.rows(training[details.has(training)])
    if not len(rows):
        raise UserError("no poster in the training cohorts has details")
    encoders, constant = [], []
    for name in columns:
        encoder = fit_column(rows[name], name, details.kinds[name])
        if np.ptp(encoder.encode(rows[name]), axis=0).any():
            encoders.append(encoder)
        else:
            constant.append(name)
    return DetailsEncoder(tuple(encoders)), tuple(constant)


def fit_column(column: pl.Series, name: str, kind: ColumnKind) -> ColumnEncoder:
    """The encoder of one column, from the training posters' values."""
    if kind == "number":
        numbers = column.drop_nulls().to_numpy()
        log = is_better_as_log(numbers)
        scaled = np.log1p(numbers) if log else numbers
        deviation = float(scaled.std()) if len(scaled) else 0.0
        mean = float(scaled.mean()) if len(scaled) else 0.0
        return ColumnEncoder(name=name, kind=kind, log=log, mean=mean, deviation=deviation or 1.0)
    items = pl.DataFrame(
        {"item": [i for cell in items_of(column, kind) for i in dict.fromkeys(cell)]}
    )
    counts = (
        items.cast({"item": pl.String})
        .group_by("item")
        .len()
        .sort(["len", "item"], descending=[True, False])
    )
    fewest = FEWEST_OF_CATEGORY if kind == "category" else FEWEST_OF_ITEM
    frequent = counts.filter(pl.col("len") >= fewest)["item"].to_list()
    values = frequent if kind == "category" else frequent[:MOST_ITEMS]
    return ColumnEncoder(name=name, kind=kind, values=tuple(values))


def is_better_as_log(numbers: NDArray[np.float64]) -> bool:
    """Whether the numbers are skewed to the right and log1p is less so."""
    if len(numbers) < 3 or numbers.min() < 0:
        return False
    skewed = skewness(numbers)
    return skewed > SKEWED and abs(skewness(np.log1p(numbers))) < skewed


def skewness(numbers: NDArray[np.float64]) -> float:
    """The mean of the cubed standard scores; 0 of constant numbers."""
    deviation = float(numbers.std())
    return float((((numbers - numbers.mean()) / deviation) ** 3).mean()) if deviation else 0.0
