"""Columns of details from which a label can be read off, such as the genres themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.details.info import ColumnKind

#: From this F-score of a single value as a classifier, the value counts as the label.
SAME_AS_LABEL = 0.95

#: Fewer positives than this say nothing.
FEWEST = 5


def find_giveaways(
    rows: pl.DataFrame,
    kinds: dict[str, ColumnKind],
    labels: NDArray[np.uint8],
    genres: tuple[str, ...],
) -> dict[str, str]:
    """The columns that give a genre away, each with that genre.

    Parameters
    ----------
    rows
        Details of n posters.
    labels
        0 or 1, (n, genres).
    """
    giveaways = {}
    positives = labels.sum(axis=0)
    for name, kind in kinds.items():
        for present in _indicators(rows[name], kind, len(rows)):
            hits = labels[present].sum(axis=0)
            wrong = positives + len(present) - 2 * hits
            # F of the value as a classifier of the genre, or of its absence, whichever is less.
            shared = np.minimum(hits, len(rows) - hits - wrong)
            fscore = 2 * shared / np.maximum(2 * shared + wrong, 1)
            best = int(fscore.argmax())
            if fscore[best] >= SAME_AS_LABEL and hits[best] >= FEWEST:
                giveaways[name] = genres[best]
                break
    return giveaways


def _indicators(column: pl.Series, kind: ColumnKind, count: int) -> Iterator[NDArray[np.int64]]:
    """The rows that have a value, for each frequent value of the column."""
    if kind == "text":
        return
    frame = pl.DataFrame({"value": column, "row": np.arange(count, dtype=np.int64)})
    if kind == "list":
        frame = frame.explode("value").unique(maintain_order=True)
    groups = frame.drop_nulls().group_by("value", maintain_order=True).agg("row")
    for rows in groups.filter(pl.col("row").list.len() >= FEWEST)["row"]:
        yield rows.to_numpy()
