"""The inputs of runs: features, activations of the last frozen layer, or images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from postertui.data.dataset import Dataset
from postertui.runs.run_data import open_run_data
from postertui.runs.spec import RunSpec
from postertui.training.backbones import first_uncached_layer
from postertui.training.backend import Tensor, to_device
from postertui.training.blocks import HostRows
from postertui.training.features import FeatureCache, ReportProgress, mirror

Rows = Tensor | HostRows


class Inputs(NamedTuple):
    """Rows of training, validation and test cohorts, each concatenated; on the device if they fit.

    Where the variant shows mirror images, `train` has those of all posters after the posters.

    `first` is VGG16's first layer that they have not passed through; `validation` is None without
    validation cohorts. `seconds_per_poster` is what the layers before `first` took for each, None
    where that was not measured.
    """

    dataset: Dataset
    first: int
    train: Rows
    validation: Rows | None
    test: Rows
    seconds_per_poster: float | None


class InputStore:
    """Caches the inputs of the last run, as the next one most likely needs the same."""

    def __init__(self, features_root: Path | None, max_bytes: int) -> None:
        self._root = features_root
        self._max_bytes = max_bytes
        self._datasets: dict[str, Dataset] = {}
        self._cached: dict[tuple[object, ...], tuple[Rows, Rows | None, Rows]] = {}

    def get(self, spec: RunSpec, notify: ReportProgress) -> Inputs:
        """The inputs of `spec`. Raises `UserError` where the data has changed since."""
        dataset = self._dataset(spec)
        variant = spec.variant
        first = first_uncached_layer(variant, dataset.side, spec.weights)
        weights = (variant.backbone_name, spec.weights.digest) if first > 1 else None
        groups = (spec.train_cohorts, spec.val_cohorts, spec.test_cohorts)
        mirrored = variant.needs_mirrored
        key = (spec.data_fingerprint, groups, first, weights, mirrored)
        if key not in self._cached:
            self._cached.clear()
            parts = iter(self._load(dataset, spec, spec.all_cohorts, first, notify))
            loaded = [[next(parts) for _ in group] for group in groups]
            if mirrored:
                cohorts = spec.train_cohorts
                loaded[0] += self._load(dataset, spec, cohorts, first, notify, mirrored=True)
            host = [HostRows(arrays) if arrays else None for arrays in loaded]
            size = sum(rows.shape[0] * rows.row_bytes for rows in host if rows is not None)
            fits = size <= self._max_bytes
            train, validation, test = (
                to_device(rows.whole()) if rows is not None and fits else rows for rows in host
            )
            self._cached[key] = train, validation, test
        seconds = 0.0 if first == 1 else self._cache(dataset, spec, first).seconds_per_poster
        return Inputs(dataset, first, *self._cached[key], seconds)

    def _dataset(self, spec: RunSpec) -> Dataset:
        if spec.data_fingerprint not in self._datasets:
            self._datasets = {spec.data_fingerprint: open_run_data(spec)}
        return self._datasets[spec.data_fingerprint]

    def _load(
        self,
        dataset: Dataset,
        spec: RunSpec,
        cohorts: tuple[int, ...],
        first: int,
        notify: ReportProgress,
        *,
        mirrored: bool = False,
    ) -> list[NDArray[Any]]:
        """The memory-mapped inputs of each of `cohorts`, or those of its mirror images."""
        if first == 1:
            images = [dataset.images(d) for d in cohorts]
            return [mirror(i) for i in images] if mirrored else images
        cache = self._cache(dataset, spec, first, mirrored=mirrored)
        return list(cache.load(cohorts, notify))

    def _cache(
        self, dataset: Dataset, spec: RunSpec, first: int, *, mirrored: bool = False
    ) -> FeatureCache:
        network = spec.variant.backbone_name
        return FeatureCache(
            dataset, spec.weights, first, self._root, network=network, mirrored=mirrored
        )
