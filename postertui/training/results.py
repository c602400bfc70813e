"""What a finished run leaves beside its history: predictions, weights, scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.chosen_posters import ChosenPosters
from postertui.predictions.columns import score_columns
from postertui.predictions.table import Predictions, write_predictions
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import SMALL_BYTES, size_of, write_weights
from postertui.training.input_encoding import InputEncoding
from postertui.training.metrics import Metrics


class FinishedWeights(NamedTuple):
    """The weights after `epoch`, and their probabilities (n,) of validation and test posters."""

    epoch: int
    weights: list[NDArray[np.floating]]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class RunResults:
    """The results of one run.

    Attributes
    ----------
    weight_names
        Names of the trained weights, in order.
    seconds_per_poster
        From pixels to probability, without reading the file; None where the frozen layers' time was
        not measured.
    last, best
        The weights after the last epoch, and after the one with the lowest monitored loss where
        the variant selects epochs.
    encoding
        How details become inputs; None for posters alone.
    keeps_weights
        Whether `write` keeps weights, which a classical model has none of.
    """

    spec: RunSpec
    posters: ChosenPosters
    weight_names: tuple[str, ...]
    seconds_per_poster: float | None
    last: FinishedWeights
    best: FinishedWeights | None
    encoding: InputEncoding | None = None
    keeps_weights: bool = True

    def scores(self) -> Metrics:
        """The last epoch's columns that follow from probabilities."""
        predictions = self._predictions()
        test = predictions.of_cohorts(self.spec.test_cohorts)
        validation = predictions.of_cohorts(self.spec.val_cohorts)
        return dict(
            score_columns(
                (test.labels, test.probabilities),
                (validation.labels, validation.probabilities) if len(validation) else None,
            )
        )

    def write(self, run_folder: Path) -> dict[str, Any]:
        """Write predictions and weights; the fields of the run's `end` event.

        They are `predictions`, `weights` where those are kept, and `predict_seconds` for 1,000
        posters.
        Raises `OSError`. A file is complete or not there.
        """
        predictions = write_predictions(run_folder, self._predictions())
        final = self.best if self.best is not None and self.spec.variant.restore_best else self.last
        fields: dict[str, Any] = {"predictions": msgspec.to_builtins(predictions)}
        if self.seconds_per_poster is not None:
            fields["predict_seconds"] = 1000 * self.seconds_per_poster
        if not (self.keeps_weights and self._keeps(final.weights)):
            return fields
        arrays = dict(zip(self.weight_names, final.weights, strict=True))
        encoding = b"" if self.encoding is None else msgspec.json.encode(self.encoding)
        info = write_weights(run_folder, self.spec.digest, final.epoch, arrays, encoding)
        return fields | {"weights": msgspec.to_builtins(info)}

    def _keeps(self, weights: list[NDArray[np.floating]]) -> bool:
        match self.spec.keep_weights:
            case "all":
                return True
            case "small":
                return size_of(weights) <= SMALL_BYTES
            case "none":
                return False

    def _predictions(self) -> Predictions:
        cohorts = self.spec.val_cohorts + self.spec.test_cohorts
        ids = [self.posters.ids([d]) for d in cohorts]
        of_cohort = [np.full(len(i), d, np.uint8) for d, i in zip(cohorts, ids, strict=True)]
        return Predictions(
            np.concatenate(ids),
            np.concatenate(of_cohort),
            self.posters.genre_labels(self.spec.genre, cohorts),
            self.last.probabilities,
            None if self.best is None else self.best.probabilities,
        )
