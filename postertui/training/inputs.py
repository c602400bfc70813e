"""The inputs of runs: features, activations of the last frozen layer, or images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from postertui.data.chosen_posters import ChosenPosters
from postertui.data.dataset import Dataset
from postertui.data.details.encoding import NO_DETAILS, DetailsEncoder
from postertui.data.details.selection import fit_variant_encoder
from postertui.runs.run_data import open_run_data
from postertui.runs.spec import RunSpec
from postertui.training.backbone_parts import first_uncached_layer, last_layer
from postertui.training.backend import Tensor, to_device
from postertui.training.blocks import HostRows, JoinedRows
from postertui.training.features import FeatureCache, ReportProgress, mirror
from postertui.training.input_encoding import (
    FeatureScale,
    InputEncoding,
    JoinedShape,
    fit_scale,
    joined_shape,
)

Rows = Tensor | HostRows


class Inputs(NamedTuple):
    """Rows of training, validation and test cohorts, each concatenated; on the device if they fit.

    Where the variant shows mirror images, `train` has those of all posters after the posters.
    Where it takes details, a row is a poster's inputs, if any, and then its encoded details.

    `first` is the backbone's first layer that they have not passed through; `validation` is None
    without validation cohorts. `seconds_per_poster` is what the layers before `first` took for
    each, None where that was not measured. `encoding` is of details, None without them.
    """

    posters: ChosenPosters
    first: int
    train: Rows
    validation: Rows | None
    test: Rows
    seconds_per_poster: float | None
    encoding: InputEncoding | None = None
    joined: JoinedShape | None = None

    @property
    def dataset(self) -> Dataset:
        """The data folder."""
        return self.posters.dataset


class InputStore:
    """Caches the inputs of the last run, as the next one most likely needs the same."""

    def __init__(self, features_root: Path | None, max_bytes: int) -> None:
        self._root = features_root
        self._max_bytes = max_bytes
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._cached: dict[tuple[object, ...], Inputs] = {}

    def get(self, spec: RunSpec, notify: ReportProgress) -> Inputs:
        """The inputs of `spec`. Raises `UserError` where the data has changed since."""
        dataset = self._dataset(spec)
        variant = spec.variant
        first = first_uncached_layer(variant, dataset.side, spec.weights)
        has_weights = first > 1 and variant.inputs != "details"
        weights = (variant.backbone_name, spec.weights.digest) if has_weights else None
        groups = (spec.train_cohorts, spec.val_cohorts, spec.test_cohorts)
        details = (variant.inputs, variant.details, variant.with_details, spec.details_digest)
        # Where layers train, the scale of the features depends on the weights all the same.
        scaled = (variant.network, spec.weights.digest) if variant.inputs == "both" else None
        is_network = variant.model == "network"
        mirrored = variant.needs_mirrored
        key = (spec.data_fingerprint, groups, first, weights, mirrored, details, scaled, is_network)
        if key not in self._cached:
            self._cached.clear()
            self._cached[key] = self._read(dataset, spec, first, notify)
        return self._cached[key]

    def _read(self, dataset: Dataset, spec: RunSpec, first: int, notify: ReportProgress) -> Inputs:
        variant = spec.variant
        posters = ChosenPosters(dataset, with_details=variant.with_details)
        groups = (spec.train_cohorts, spec.val_cohorts, spec.test_cohorts)
        host: list[HostRows | None] = [None, None, None]
        if variant.inputs != "details":
            host = self._poster_rows(posters, spec, first, notify)
        encoding = joined = None
        if variant.inputs != "poster" or variant.model != "network":
            scale = None if host[0] is None else self._scale(posters, spec, host[0], notify)
            fitted = fit_details(posters, spec) if variant.inputs != "poster" else NO_DETAILS
            encoding = InputEncoding(fitted, scale)
            shape = () if host[0] is None else host[0].shape[1:]
            joined = joined_shape(encoding, shape)
            for i, cohorts in enumerate(groups):
                if cohorts and fitted.columns:
                    encoded = encoding.details.encode(dataset.details(), posters.ids(cohorts))
                    copies = 2 if i == 0 and variant.needs_mirrored else 1
                    host[i] = JoinedRows(host[i], np.tile(encoded, (copies, 1)))
        size = sum(rows.shape[0] * rows.row_bytes for rows in host if rows is not None)
        fits = size <= self._max_bytes
        train, validation, test = (
            to_device(rows.whole()) if rows is not None and fits else rows for rows in host
        )
        seconds: float | None = 0.0
        if first > 1 and variant.inputs != "details":
            seconds = self._cache(dataset, spec, first).seconds_per_poster
        return Inputs(posters, first, train, validation, test, seconds, encoding, joined)

    def _poster_rows(
        self, posters: ChosenPosters, spec: RunSpec, first: int, notify: ReportProgress
    ) -> list[HostRows | None]:
        """The posters' inputs of training, validation and test cohorts."""
        groups = (spec.train_cohorts, spec.val_cohorts, spec.test_cohorts)
        parts = iter(self._load(posters.dataset, spec, spec.all_cohorts, first, notify))
        loaded = [[next(parts) for _ in group] for group in groups]
        rows = [posters.rows(group) for group in groups]
        if spec.variant.needs_mirrored:
            count = sum(map(len, loaded[0]))
            loaded[0] += self._load(
                posters.dataset, spec, spec.train_cohorts, first, notify, mirrored=True
            )
            if rows[0] is not None:
                rows[0] = np.concatenate([rows[0], rows[0] + count])
        return [
            HostRows(arrays, chosen) if arrays else None
            for arrays, chosen in zip(loaded, rows, strict=True)
        ]

    def _scale(
        self, posters: ChosenPosters, spec: RunSpec, train: HostRows, notify: ReportProgress
    ) -> FeatureScale:
        """The scale of the backbone's pooled features over the training posters.

        Where layers of it train, it is that of their pretrained weights.
        """
        dataset, network = posters.dataset, spec.variant.network
        rows = posters.rows(spec.train_cohorts)
        if len(train.shape) > 2:
            last = last_layer(network, dataset.side, spec.weights)
            arrays = self._load(dataset, spec, spec.train_cohorts, last, notify)
            return fit_scale(HostRows(arrays, rows).whole())
        count = train.shape[0] // (2 if spec.variant.needs_mirrored else 1)
        return fit_scale(train.take(np.arange(count)))

    def _dataset(self, spec: RunSpec) -> Dataset:
        key = spec.data_fingerprint, spec.details_digest
        if key not in self._datasets:
            self._datasets = {key: open_run_data(spec)}
        return self._datasets[key]

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


def fit_details(posters: ChosenPosters, spec: RunSpec) -> DetailsEncoder:
    """The encoder of the run's details. Raises `UserError` where they cannot be used."""
    dataset = posters.dataset
    details = dataset.details()
    assert dataset.details_info is not None
    training = posters.ids(spec.train_cohorts)
    return fit_variant_encoder(spec.variant, details, dataset.details_info, training)
