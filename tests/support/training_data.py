"""Small data folders with features on disk, and specs to train on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.dataset import Dataset
from postertui.data.description import CohortInfo, DatasetInfo
from postertui.data.weights import resolve_weights
from postertui.runs.spec import RunSpec
from postertui.study import ALL_LAYERS, Variant
from postertui.training.features import FeatureCache

RANDOM = resolve_weights("random")


def make_dataset(
    folder: Path,
    *,
    rows: dict[int, int],
    positives: dict[str, dict[int, int]],
    side: int = 32,
) -> Dataset:
    """A data folder of noise. `positives` says how many of each genre's rows are, by cohort."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    for cohort, count in rows.items():
        images = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
        labels = np.zeros((count, len(positives)), np.uint8)
        for column, genre in enumerate(positives):
            labels[rng.permutation(count)[: positives[genre][cohort]], column] = 1
        np.save(folder / f"images-{cohort}.npy", images)
        np.save(folder / f"labels-{cohort}.npy", labels)
        np.save(folder / f"ids-{cohort}.npy", np.arange(count, dtype=np.int64) * 10 + cohort)
    info = DatasetInfo(
        genres=tuple(positives),
        side=side,
        cohorts={str(d): CohortInfo(n, n, f"{d}" * 32) for d, n in rows.items()},
        fingerprint="f" * 32,
    )
    (folder / "dataset.json").write_bytes(msgspec.json.encode(info))
    return Dataset.open(folder)


def fill_features(dataset: Dataset, first: int = ALL_LAYERS) -> dict[int, NDArray[np.float32]]:
    """Made-up features in the data folder's cache, as if VGG16 had been through; by cohort.

    Where a genre is, a few of them are larger, so that there is something to learn.
    """
    cache = FeatureCache(dataset, RANDOM, first)
    cache.folder.mkdir(parents=True, exist_ok=True)
    weights = {}
    for cohort in dataset.cohorts:
        rng = np.random.default_rng([cohort, first])
        labels = dataset.labels(cohort)
        features = rng.standard_normal((len(labels), *cache.row_shape), dtype=np.float32)
        for column in range(labels.shape[1]):
            features[..., column::64] += 0.5 * labels[:, column].reshape(
                -1, *[1] * (features.ndim - 1)
            )
        weights[cohort] = np.maximum(features, 0)
        np.save(cache.folder / f"{cohort}.npy", weights[cohort])
    return weights


def make_spec(dataset: Dataset, genre: str = "Comedy", **more: Any) -> RunSpec:
    """A run on cohorts 0 and 2; what `Variant` has goes to the variant."""
    fields = {k: more.pop(k) for k in list(more) if k in Variant.__struct_fields__}
    settings: dict[str, Any] = {
        "variant": Variant(name="base", **({"fc1": 8, "fc2": 4} | fields)),
        "genre": genre,
        "seed": 0,
        "study": "test",
        "data": str(dataset.path),
        "data_fingerprint": dataset.fingerprint,
        "weights": RANDOM,
        "train_base_rate": dataset.base_rate(genre, [0]),
        "test_base_rate": dataset.base_rate(genre, [2]),
    }
    return RunSpec(**settings | more)


def without_time(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics that a rerun must repeat to the bit; NaN as text, to be equal to itself."""
    return {k: repr(v) for k, v in metrics.items() if k != "seconds"}
