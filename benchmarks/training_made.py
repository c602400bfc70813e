"""Made-up cohorts of the published sizes, and features for them: content does not change speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from postertui.data.dataset import Dataset
from postertui.data.description import CohortInfo, DatasetInfo
from postertui.data.weights import resolve_weights
from postertui.runs.spec import RunSpec
from postertui.study import Variant
from postertui.training.features import FeatureCache

#: The cohorts of 2017: 84 and 85 batches of 256.
TRAIN, TEST = 21_490, 21_651
SIDE = 48
RATE = 0.2
GENRE = "Comedy"
RANDOM = resolve_weights("random")


def make_dataset(folder: Path, rows: dict[int, int], genres: tuple[str, ...] = (GENRE,)) -> Dataset:
    """A data folder of noise; images are a thousand, repeated."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 256, (1000, SIDE, SIDE, 3), dtype=np.uint8)
    for cohort, count in rows.items():
        labels = (rng.random((count, len(genres))) < RATE).astype(np.uint8)
        write_repeated(folder / f"images-{cohort}.npy", tile, count)
        np.save(folder / f"labels-{cohort}.npy", labels)
        np.save(folder / f"ids-{cohort}.npy", np.arange(count, dtype=np.int64) * 10 + cohort)
    info = DatasetInfo(
        genres=genres,
        side=SIDE,
        cohorts={str(d): CohortInfo(n, n, f"{d}" * 32) for d, n in rows.items()},
        fingerprint="b" * 32,
    )
    (folder / "dataset.json").write_bytes(msgspec.json.encode(info))
    return Dataset.open(folder)


def fill_features(dataset: Dataset, first: int) -> None:
    """What VGG16 up to layer `first` - 1 might have made of the cohorts: half of it zero."""
    cache = FeatureCache(dataset, RANDOM, first)
    cache.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(first)
    tile = np.maximum(rng.standard_normal((1000, *cache.row_shape), dtype=np.float32), 0)
    for cohort in dataset.cohorts:
        write_repeated(cache.folder / f"{cohort}.npy", tile, dataset.posters([cohort]))


def write_repeated(path: Path, tile: Any, count: int) -> None:
    """`count` rows on disk, those of `tile` over and over."""
    out = np.lib.format.open_memmap(
        path, mode="w+", dtype=tile.dtype, shape=(count, *tile.shape[1:])
    )
    for start in range(0, count, len(tile)):
        out[start : start + len(tile)] = tile[: count - start]
    out.flush()


def make_spec(
    dataset: Dataset, seed: int = 0, *, genre: str = GENRE, name: str = "base", **changes: Any
) -> RunSpec:
    """A run of base, with `changes`, on cohorts 0 and 2."""
    return RunSpec(
        variant=Variant(name=name, **changes),
        genre=genre,
        seed=seed,
        study="benchmark",
        data=str(dataset.path),
        data_fingerprint=dataset.fingerprint,
        weights=RANDOM,
        train_base_rate=RATE,
        test_base_rate=RATE,
    )
