"""The table that `postertui predict` prints: what each model decides about each image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.ids import id_of_stem
from postertui.predictions.models import TrainedModel

SCHEMA = {
    "id": pl.Int64,
    "file": pl.String,
    "genre": pl.String,
    "probability": pl.Float32,
    "threshold": pl.Float64,
    "positive": pl.Boolean,
}


def decide(
    images: Sequence[Path],
    models: Sequence[TrainedModel],
    probabilities: NDArray[np.float32],
    unreadable: Collection[int] = (),
) -> pl.DataFrame:
    """One row per readable image and model (`SCHEMA`), image by image.

    Parameters
    ----------
    probabilities : (models, images). A dead model's are NaN; they become null, undecided.
    unreadable : places of images to leave out.

    Notes
    -----
    An image whose file's name holds a poster's id has that `id`, any other none.
    """
    rows = [
        (
            id_of_stem(path.stem),
            str(path),
            model.genre,
            None if np.isnan(p) else float(p),
            model.threshold,
            None if np.isnan(p) else bool(float(p) > model.threshold),
        )
        for column, path in enumerate(images)
        if column not in unreadable
        for model, p in zip(models, probabilities[:, column], strict=True)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def by_image(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per image: `file`, then per genre the probability, with `yes` where it is decided."""
    mark = pl.when("positive").then(pl.lit(" yes")).otherwise(pl.lit(""))
    text = pl.col("probability").round(3).cast(pl.String).str.pad_end(5, "0")
    cell = pl.concat_str(text, mark).fill_null("–").alias("cell")  # noqa: RUF001
    return decisions.with_columns(cell).pivot(
        "genre", index="file", values="cell", aggregate_function="first", maintain_order=True
    )
