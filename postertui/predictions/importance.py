"""Permutation importance: how much a model loses where one of its inputs is another poster's.

Breiman (2001), "Random forests", Machine Learning 45, section 10. The interval is of both kinds of
chance: other posters in the cohort (bootstrap) and other permutations.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.chosen_posters import ChosenPosters
from postertui.data.dataset import Dataset
from postertui.data.details.encoding import DetailsEncoder
from postertui.predictions.inference import ModelRequest, model_request, run_job
from postertui.predictions.models import TrainedModel
from postertui.predictions.ranking import rank
from postertui.predictions.scores import average_precision
from postertui.runs.trained_weights import read_weights
from postertui.system.errors import UserError
from postertui.system.user_folders import temporary_root

#: What the posters themselves are called beside the columns of their details.
POSTER = "poster"

#: Draws of posters for an interval, and the share of draws inside of it.
DRAWS = 400
CONFIDENCE = 0.95

Probabilities = NDArray[np.float32]


class _Encoding(msgspec.Struct):
    """The part of a run's input encoding that is of its details."""

    details: DetailsEncoder


class ImportanceRequest(msgspec.Struct, frozen=True):
    """What the subprocess needs: a model, its data folder, and where to save probabilities.

    Parameters
    ----------
    repeats
        How often each input is permuted.
    output
        It saves (1 + inputs, repeats, posters) there: first the probabilities of the posters as
        they are, then those with each input permuted.
    """

    model: ModelRequest
    data: str
    repeats: int
    output: str


def importance(model: TrainedModel, repeats: int, data: Path | None = None) -> pl.DataFrame:
    """The inputs of a model by their importance on the run's validation posters.

    Columns: run, input, kind, ap (of the model), drop, low, high (of average precision).

    Parameters
    ----------
    model
        One that has learnt from details.
    repeats
        How often each input is permuted.
    data
        The data folder; None for the one that the run was trained on.

    Raises
    ------
    UserError
        For a model of posters alone, and one without a validation cohort.
    """
    spec = model.spec
    if spec.variant.inputs == "poster":
        raise UserError(
            f"{model.run}: learnt from posters alone; importance is of details "
            '(inputs = "details" or "both")'
        )
    if not spec.val_cohorts:
        raise UserError(
            f"{model.run}: has no validation cohort to measure on; train it with --val-cohorts"
        )
    folder = data or Path(spec.data)
    posters = ChosenPosters(Dataset.open(folder), with_details=spec.variant.with_details)
    labels = posters.genre_labels(spec.genre, spec.val_cohorts)
    inputs, probabilities = _permuted(model, repeats, folder)
    rows = [
        {"run": model.run, "input": name, "kind": kind}
        | drop_of_average_precision(labels, probabilities[0, 0], permuted)
        for (name, kind), permuted in zip(inputs.items(), probabilities[1:], strict=True)
    ]
    return pl.DataFrame(rows).sort("drop", descending=True)


def drop_of_average_precision(
    labels: NDArray[np.uint8], probabilities: Probabilities, permuted: Probabilities
) -> dict[str, float]:
    """`ap` of the model, the mean `drop` of the permutations (repeats, n), `low` and `high`."""
    whole = average_precision(rank(labels, probabilities))
    drops = [whole - average_precision(rank(labels, p)) for p in permuted]
    rng = np.random.default_rng(len(labels))
    draws = []
    for draw in range(DRAWS):
        chosen = rng.integers(0, len(labels), len(labels))
        if labels[chosen].any():
            other = permuted[draw % len(permuted)][chosen]
            drawn = labels[chosen]
            draws.append(
                average_precision(rank(drawn, probabilities[chosen]))
                - average_precision(rank(drawn, other))
            )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail]) if draws else (np.nan, np.nan)
    return {"ap": whole, "drop": float(np.mean(drops)), "low": float(low), "high": float(high)}


def _permuted(
    model: TrainedModel, repeats: int, folder: Path
) -> tuple[Mapping[str, str], Probabilities]:
    """The model's inputs with their kinds, and the probabilities that the subprocess saves."""
    request = model_request(model, folder)
    encoding = read_weights(model.folder, model.spec.digest, model.weights.digest).encoding
    columns = msgspec.json.decode(encoding, type=_Encoding).details.columns
    inputs: dict[str, str] = {column.name: column.kind for column in columns}
    if model.spec.variant.inputs == "both":
        inputs[POSTER] = "pixels"
    with tempfile.TemporaryDirectory(prefix="postertui-", dir=temporary_root()) as temporary:
        output = Path(temporary) / "probabilities.npy"
        run_job(
            "postertui.training.importance",
            ImportanceRequest(request, str(folder), repeats, str(output)),
        )
        return inputs, np.load(output, allow_pickle=False)
