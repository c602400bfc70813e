"""Details for the posters of a made-up data folder."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from postertui.data.dataset import Dataset
from postertui.data.description import DESCRIPTION, read_description
from postertui.data.details.info import ColumnKind
from postertui.data.details.table import ID, Details
from postertui.data.posters.details import details_info

KINDS: dict[str, ColumnKind] = {"year": "number", "country": "category", "keywords": "list"}


def add_details(dataset: Dataset, genre: str = "Comedy", share: float = 0.6) -> Dataset:
    """The folder with details of a `share` of its posters, from which `genre` can be learnt."""
    rng = np.random.default_rng(3)
    ids = np.concatenate([dataset.ids(d) for d in dataset.cohorts])
    labels = np.concatenate([dataset.labels(d) for d in dataset.cohorts])
    has_genre = labels[:, dataset.genre_index(genre)]
    kept = rng.random(len(ids)) < share
    frame = pl.DataFrame(
        {
            ID: ids,
            "year": 1990.0 + 8.0 * has_genre + rng.normal(0, 8, len(ids)),
            "country": rng.choice(["USA", "UK"], len(ids)),
            "keywords": [["love", "dog"] if g and r < 0.7 else ["war"] for g, r in
                         zip(has_genre, rng.random(len(ids)), strict=True)],
        }
    ).with_columns(pl.when(pl.col("year") > 1980).then(pl.col("year")).alias("year"))  # fmt: skip
    details = Details(frame.filter(kept), KINDS)
    details.write(dataset.path)
    info = msgspec.structs.replace(
        read_description(dataset.path),
        details=details_info(details, labels, ids, dataset.genres),
    )
    (dataset.path / DESCRIPTION).write_bytes(msgspec.json.encode(info))
    return Dataset.open(dataset.path)
