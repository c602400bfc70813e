"""Trained models that can be used: runs whose weights were kept, and which of them to take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from postertui.predictions.columns import score_columns
from postertui.predictions.loading import split_cohorts
from postertui.predictions.scores import PUBLISHED_THRESHOLD
from postertui.predictions.table import read_predictions
from postertui.runs import layout
from postertui.runs.spec import RunSpec
from postertui.runs.store import Run, Store
from postertui.runs.trained_weights import WeightsInfo
from postertui.system.errors import UserError


@dataclass(frozen=True)
class TrainedModel:
    """A done run with weights.

    Parameters
    ----------
    threshold
        Chosen on validation after the epoch of the weights, else .5.
    score
        The average precision by which the best model is chosen: on validation, or on test; NaN
        without either.
    scored_on_test
        Which of them.
    """

    run: str
    folder: Path
    spec: RunSpec
    weights: WeightsInfo
    threshold: float
    score: float
    scored_on_test: bool

    @property
    def genre(self) -> str:
        """The label that it decides about."""
        return self.spec.genre


def trained_models(store: Store) -> list[TrainedModel]:
    """The models of a runs folder, by run name."""
    models = (as_model(run, store.folder / run.name) for run in store.runs.values())
    return sorted((m for m in models if m is not None), key=lambda model: model.run)


def as_model(run: Run, folder: Path) -> TrainedModel | None:
    """The run's model; None where it is not done or its weights were not kept."""
    kept = (run.end or {}).get("weights")
    if run.spec is None or run.state != "done" or not (folder / layout.WEIGHTS).is_file():
        return None
    try:
        weights = msgspec.convert(kept, WeightsInfo)
    except msgspec.ValidationError:
        return None
    scores = _scores_at(run, weights.epoch)
    if weights.epoch != run.epoch:
        scores |= _scores_of_best(folder, run.spec)
    on_test = math.isnan(scores["val_ap"])
    return TrainedModel(
        run.name,
        folder,
        run.spec,
        weights,
        PUBLISHED_THRESHOLD if math.isnan(scores["threshold"]) else scores["threshold"],
        scores["test_ap"] if on_test else scores["val_ap"],
        on_test,
    )


def named_models(models: Sequence[TrainedModel], names: Iterable[str]) -> list[TrainedModel]:
    """The models of the named runs, in that order.

    Raises
    ------
    UserError
        For a run without a model (exit code 3).
    """
    by_run = {model.run: model for model in models}
    chosen = []
    for name in dict.fromkeys(names):
        if name not in by_run:
            raise UserError(
                f"run {name}: no such run with trained weights; `postertui runs` lists the runs, "
                "and `postertui train --keep-weights all` keeps their weights",
                exit_code=3,
            )
        chosen.append(by_run[name])
    return chosen


def variant_models(models: Sequence[TrainedModel], pattern: str) -> list[TrainedModel]:
    """The best model of each genre among those of certain variants.

    Parameters
    ----------
    pattern
        A variant's name or a glob, in any case.

    Raises
    ------
    UserError
        Where there is none (exit code 3).
    """
    wanted = pattern.lower()
    matching = [m for m in models if fnmatchcase(m.spec.variant.name.lower(), wanted)]
    if not matching:
        names = ", ".join(sorted({m.spec.variant.name for m in models})) or "none"
        raise UserError(
            f"--variant {pattern}: no model of it; variants with trained weights: {names}",
            exit_code=3,
        )
    return best_models(matching)


def best_models(models: Sequence[TrainedModel]) -> list[TrainedModel]:
    """The model with the highest score in each genre, genres in order; validation before test.

    Raises
    ------
    UserError
        Where there is no model at all (exit code 3).
    """
    if not models:
        raise UserError(
            "no run with trained weights; train with --keep-weights all, or name another runs "
            "folder with --runs",
            exit_code=3,
        )
    best: dict[str, TrainedModel] = {}
    for model in models:
        rival = best.get(model.genre)
        if rival is None or _rank(model) > _rank(rival):
            best[model.genre] = model
    return [best[genre] for genre in sorted(best)]


def choice_line(chosen: Sequence[TrainedModel]) -> str:
    """What the models were chosen by, where that was the test cohort; empty where it was not."""
    genres = [model.genre for model in chosen if model.scored_on_test]
    if not genres:
        return ""
    return (
        f"chosen by test average precision, which is too good by that choice: {', '.join(genres)} "
        "(no validation cohort; train with --val-cohorts)"
    )


def _rank(model: TrainedModel) -> tuple[bool, float]:
    """Scores of validation before those of test, undefined ones last."""
    return not model.scored_on_test, -math.inf if math.isnan(model.score) else model.score


def _scores_at(run: Run, epoch: int) -> dict[str, float]:
    event: dict[str, Any] = next((e for e in run.epochs if e["epoch"] == epoch), {})
    values = {name: event.get(name) for name in ("threshold", "val_ap", "test_ap")}
    return {name: math.nan if value is None else float(value) for name, value in values.items()}


def _scores_of_best(folder: Path, spec: RunSpec) -> dict[str, float]:
    """The scores of the best epoch's weights, which the history has of the last epoch only."""
    try:
        predictions = split_cohorts(folder.name, spec, read_predictions(folder))
    except UserError:
        return {}
    test, validation = predictions.test, predictions.validation
    if test.best_probabilities is None:
        return {}
    of_validation = None
    if validation is not None and validation.best_probabilities is not None:
        of_validation = validation.labels, validation.best_probabilities
    scores = score_columns((test.labels, test.best_probabilities), of_validation)
    values = {name: scores[name] for name in ("threshold", "val_ap", "test_ap")}
    return {name: math.nan if value is None else value for name, value in values.items()}
