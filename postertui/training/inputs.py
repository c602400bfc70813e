"""The inputs of runs: features, activations of the last frozen layer, or images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from postertui.data.dataset import Dataset
from postertui.runs.spec import RunSpec
from postertui.system.errors import UserError
from postertui.training.backend import Tensor, to_device
from postertui.training.blocks import HostRows
from postertui.training.features import FeatureCache, ReportProgress
from postertui.training.vgg16 import first_uncached_layer


class Inputs(NamedTuple):
    """Rows of the training and of the test cohorts, concatenated; on the device if they fit.

    `first` is VGG16's first layer that they have not passed through.
    """

    dataset: Dataset
    first: int
    train: Tensor | HostRows
    test: Tensor | HostRows


class InputStore:
    """Caches the inputs of the last run, as the next one most likely needs the same."""

    def __init__(self, features_root: Path | None, max_bytes: int) -> None:
        self._root = features_root
        self._max_bytes = max_bytes
        self._datasets: dict[str, Dataset] = {}
        self._cached: dict[tuple[object, ...], tuple[Tensor | HostRows, Tensor | HostRows]] = {}

    def get(self, spec: RunSpec, notify: ReportProgress) -> Inputs:
        """The inputs of `spec`. Raises `UserError` where the data has changed since."""
        dataset = self._dataset(spec)
        variant = spec.variant
        first = 1 if variant.network == "scratch" else first_uncached_layer(variant.frozen_layers)
        weights = spec.weights.digest if first > 1 else None
        key = (spec.data_fingerprint, spec.train_cohorts, spec.test_cohorts, first, weights)
        if key not in self._cached:
            self._cached.clear()
            rows = self._rows(dataset, spec, first, notify)
            split = len(spec.train_cohorts)
            cohorts = HostRows(rows[:split]), HostRows(rows[split:])
            fits = sum(c.shape[0] * c.row_bytes for c in cohorts) <= self._max_bytes
            train, test = (to_device(c.whole()) if fits else c for c in cohorts)
            self._cached[key] = train, test
        return Inputs(dataset, first, *self._cached[key])

    def _dataset(self, spec: RunSpec) -> Dataset:
        if spec.data_fingerprint not in self._datasets:
            dataset = Dataset.open(Path(spec.data))
            if dataset.fingerprint != spec.data_fingerprint:
                raise UserError(
                    f"{spec.data}: the data has changed since this run was queued; queue it again"
                )
            self._datasets = {spec.data_fingerprint: dataset}
        return self._datasets[spec.data_fingerprint]

    def _rows(
        self, dataset: Dataset, spec: RunSpec, first: int, notify: ReportProgress
    ) -> list[NDArray[Any]]:
        cohorts = (*spec.train_cohorts, *spec.test_cohorts)
        if first == 1:
            return [dataset.images(d) for d in cohorts]
        cache = FeatureCache(dataset, spec.weights, first, self._root)
        return list(cache.load(cohorts, notify))
