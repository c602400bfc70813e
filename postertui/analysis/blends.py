"""Ensembles of probabilities: variants blended genre by genre and seed by seed.

Weights and thresholds are chosen on the validation cohort, and the test cohort evaluates. An
ensemble has one member per variant and seed, so it has as many seeds as its members have in common,
and can stand beside them in a comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from postertui.history.schema import normalise
from postertui.predictions.columns import score_columns
from postertui.predictions.ensembles import Blend, average, select_greedily, stack
from postertui.predictions.loading import RunPredictions
from postertui.predictions.scores import PUBLISHED_THRESHOLD, count_decisions
from postertui.predictions.table import Predictions
from postertui.system.errors import UserError

BlendKind = Literal["average", "greedy", "stack"]
KINDS: tuple[BlendKind, ...] = get_args(BlendKind)


@dataclass(frozen=True)
class BlendRecipe:
    """How to blend which variants; `variants` are names or globs."""

    kind: BlendKind
    variants: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the ensemble is called beside variants: `average(base,bce)`."""
        return f"{self.kind}({','.join(self.variants)})"


@dataclass(frozen=True, eq=False)
class BlendedRun:
    """An ensemble of one genre and seed: its predictions, and each member variant's weight."""

    predictions: RunPredictions
    weights: Mapping[str, float]
    members: tuple[RunPredictions, ...]


def parse_recipe(text: str) -> BlendRecipe:
    """A recipe from `KIND:A,B,C`. Raises `UserError` for any other text."""
    word, _, variants = text.strip().partition(":")
    kind = next((kind for kind in KINDS if kind == word), None)
    if kind is None or not variants:
        raise UserError(
            f"--ensemble {text}: write it KIND:VARIANTS with KIND one of {', '.join(KINDS)}, such "
            "as average:base,bce"
        )
    return recipe_of(kind, variants)


def recipe_of(kind: BlendKind, variants: str) -> BlendRecipe:
    """A recipe for variants that are joined by commas. Raises `UserError` where there is none."""
    names = tuple(dict.fromkeys(name.strip() for name in variants.split(",") if name.strip()))
    if not names:
        raise UserError(f"--{kind}: name the variants, joined by commas")
    return BlendRecipe(kind, names)


def blend_runs(recipe: BlendRecipe, runs: Sequence[RunPredictions]) -> list[BlendedRun]:
    """The ensembles of every genre, seed and rotation for which each variant has a living run.

    Rotations have members of their own, so no test poster was seen by any member. Runs of which the
    cohorts' roles differ otherwise are of other posters.

    Raises
    ------
    UserError
        If a name matches no variant, fewer than two variants have runs in common, runs are of
        other posters (exit code 2), or weights need a validation cohort that a run lacks.
    """
    chosen = set().union(*(_matching(name, runs) for name in recipe.variants))
    cells: dict[tuple[str, int, bytes], dict[str, RunPredictions]] = {}
    for run in runs:
        if run.variant in chosen and not run.is_dead:
            # Rotations of the cohorts' roles have the same seeds and other test posters.
            cell = run.genre, run.seed, np.unique(run.test.cohorts).tobytes()
            cells.setdefault(cell, {}).setdefault(run.variant, run)
    whole = {cell: members for cell, members in sorted(cells.items()) if set(members) == chosen}
    if len(chosen) < 2 or not whole:
        raise UserError(
            f"{recipe.name}: no genre and seed of which two variants or more all have predictions; "
            f"variants: {', '.join(sorted(chosen))}",
            exit_code=3,
        )
    return [
        _blend(recipe, genre, seed, [members[name] for name in sorted(members)])
        for (genre, seed, _), members in whole.items()
    ]


def history_rows(blended: Iterable[BlendedRun], table: pl.DataFrame) -> pl.DataFrame:
    """Ensembles as rows of a history table: one epoch each, the last of their members'.

    Parameters
    ----------
    blended
        The ensembles.
    table
        The history table of their members.

    Returns
    -------
    polars.DataFrame
        Rows with the table's columns. What only a network has (loss, regularizer, sizes of layers)
        is null or the first member's.
    """
    rows: list[dict[str, Any]] = []
    for ensemble in blended:
        run = ensemble.predictions
        members = table.filter(pl.col("run").is_in([member.run for member in ensemble.members]))
        if members.is_empty():
            continue
        last = members.sort("epoch").row(-1, named=True)
        kept = [
            name
            for name in (
                "Regularizer", "FC1", "FC2", "epoch", "study", "test_base_rate", "train_base_rate",
                "train_cohorts", "val_cohorts", "test_cohorts", "random_key",
            )
            if name in last
        ]  # fmt: skip
        rows.append(
            {name: last[name] for name in kept}
            | {"genre": run.genre, "variant": run.variant, "name": run.variant, "run": run.run}
            | {"seed": run.seed, "attempt": 1, "dead": False}
            | scores_of(run)
        )
    return normalise(pl.DataFrame(rows, infer_schema_length=None)) if rows else table.clear()


def scores_of(run: RunPredictions) -> dict[str, float | int | None]:
    """The history table's columns that follow from predictions alone."""
    labels, p = run.test.labels, run.test.probabilities.astype(np.float64)
    counts = count_decisions(labels, p, PUBLISHED_THRESHOLD)
    positives = int(labels.sum())
    soft = 2 * float(p[labels == 1].sum()) / (float(p.sum()) + positives) if positives else None
    validation = run.validation
    return {
        **{f"test_{cell}": value for cell, value in counts._asdict().items()},
        "test_accuracy": (counts.tp + counts.tn) / len(labels),
        "test_fscore_soft": soft,
        "test_fscore_hard": counts.fscore if positives else None,
        **score_columns(
            (labels, run.test.probabilities),
            None if validation is None else (validation.labels, validation.probabilities),
        ),
    }


def _matching(pattern: str, runs: Sequence[RunPredictions]) -> set[str]:
    names = {run.variant for run in runs}
    matching = {name for name in names if fnmatchcase(name.lower(), pattern.lower())}
    if not matching:
        raise UserError(
            f"variant {pattern}: no run of it has predictions; variants that have: "
            f"{', '.join(sorted(names)) or 'none'}",
            exit_code=3,
        )
    return matching


def _blend(
    recipe: BlendRecipe, genre: str, seed: int, members: Sequence[RunPredictions]
) -> BlendedRun:
    first = members[0]
    for other in members[1:]:
        if not first.test.has_posters_of(other.test):
            raise UserError(
                f"{other.run}: its predictions are of other posters, or other labels, than those "
                f"of {first.run}; ensembles need runs of the same data and cohorts"
            )
    rule = _fit(recipe, members)
    validation = None
    if all(member.validation is not None for member in members):
        parts = [member.validation for member in members if member.validation is not None]
        validation = _apply(rule, parts)
    cohorts = "".join(map(str, np.unique(first.test.cohorts).tolist()))
    predictions = RunPredictions(
        f"{recipe.name}--{genre}--s{seed}--{cohorts}",
        recipe.name,
        genre,
        seed,
        validation,
        _apply(rule, [member.test for member in members]),
    )
    names = [member.variant for member in members]
    weights = dict(zip(names, rule.weights.tolist(), strict=True))
    return BlendedRun(predictions, weights, tuple(members))


def _fit(recipe: BlendRecipe, members: Sequence[RunPredictions]) -> Blend:
    """The blend of the members, its weights chosen on validation."""
    if recipe.kind == "average":
        return average(len(members))
    validations: list[Predictions] = []
    for member in members:
        if member.validation is None:
            raise UserError(
                f"{member.run}: has no validation cohort, on which the weights of {recipe.name} "
                "are chosen; train with --val-cohorts, or use --average"
            )
        if validations and not member.validation.has_posters_of(validations[0]):
            raise UserError(
                f"{member.run}: validates on other posters than {members[0].run}; ensembles need "
                "runs of the same data and cohorts"
            )
        validations.append(member.validation)
    labels = validations[0].labels
    probabilities = np.stack([v.probabilities for v in validations])
    if recipe.kind == "greedy":
        return select_greedily(labels, probabilities)
    return stack(labels, probabilities)


def _apply(rule: Blend, parts: Sequence[Predictions]) -> Predictions:
    blended = rule.apply(np.stack([part.probabilities for part in parts]))
    first = parts[0]
    return Predictions(first.ids, first.cohorts, first.labels, blended.astype(np.float32))
