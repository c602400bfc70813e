"""The ensemble by genre, against a plain computation."""

from __future__ import annotations

import csv
import math
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.analysis.ensemble import ensemble, implied_counts
from postertui.system.errors import UserError
from tests.support.analysis_tables import history, stack
from tests.support.study_2017 import Study2017, every_study


def run(name: str, genre: str, train: float, cells: tuple[int, ...], seed: int = 0) -> pl.DataFrame:
    tp, fp, fn, tn = cells
    return history(
        name,
        genre,
        seed,
        train_fscore_soft=train,
        test_fscore_soft=2 * tp / (2 * tp + fp + fn),
        test_tp=tp,
        test_fp=fp,
        test_fn=fn,
        test_tn=tn,
    )


TABLE = stack(
    run("base", "Comedy", 0.50, (40, 60, 20, 80)),
    run("base", "Drama", 0.60, (70, 50, 30, 50)),
    run("big", "Comedy", 0.70, (30, 40, 30, 100)),
    run("big", "Drama", 0.55, (60, 50, 40, 50)),
)


def test_each_genre_gets_the_variant_with_the_best_training_f() -> None:
    result = ensemble(TABLE)
    assert dict(result.choices.select("genre", "name").iter_rows()) == {
        "Comedy": "big",
        "Drama": "base",
    }


def test_macro_f1_and_the_total_confusion_matrix() -> None:
    team, single, hindsight = ensemble(TABLE).totals.iter_rows(named=True)
    tp, fp, fn, tn = 30 + 70, 40 + 50, 30 + 30, 100 + 50
    assert (team["tp"], team["fp"], team["fn"], team["tn"]) == (tp, fp, fn, tn)
    assert team["macro_f1"] == pytest.approx((60 / 130 + 140 / 220) / 2)
    assert team["precision"] == pytest.approx(tp / (tp + fp))
    assert team["recall"] == pytest.approx(tp / (tp + fn))
    assert team["micro_f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert team["counts"] == "counted"
    assert (single["model"], single["chosen_by"]) == ("big", "training F")
    assert (hindsight["model"], hindsight["chosen_by"]) == ("base", "test F, in hindsight")
    assert hindsight["macro_f1"] == pytest.approx((80 / 160 + 140 / 220) / 2)


def test_seeds_are_averaged_before_choosing() -> None:
    lucky = stack(
        TABLE,
        run("lucky", "Comedy", 0.95, (10, 10, 50, 130)),
        run("lucky", "Comedy", 0.15, (10, 10, 50, 130), seed=1),
    )
    assert dict(ensemble(lucky).choices.select("genre", "name").iter_rows())["Comedy"] == "big"


def test_choosing_by_the_test_cohort_is_refused() -> None:
    with pytest.raises(UserError, match="chosen on the training cohort"):
        ensemble(TABLE, "best")


def test_genres_without_a_test_f_are_left_out_and_named() -> None:
    table = stack(TABLE, history("base", "War", test_fscore=None))
    result = ensemble(table)
    assert any("War" in note for note in result.notes)
    with pytest.raises(UserError, match="no genre has both") as error:
        ensemble(history("base", "War", test_fscore=None))
    assert error.value.exit_code == 3


@given(*(st.integers(0, 300) for _ in range(4)))
def test_counts_follow_from_f_and_accuracy(tp: int, fp: int, fn: int, tn: int) -> None:
    n = tp + fp + fn + tn
    if 2 * tp + fp + fn == 0 or fp + fn == 0:
        return
    f, accuracy = 2 * tp / (2 * tp + fp + fn), (tp + tn) / n
    assert implied_counts(f, accuracy, tp + fn, n) == pytest.approx((tp, fp, fn, tn), abs=1e-6)


def test_no_classifier_has_such_an_f_and_accuracy() -> None:
    assert implied_counts(0.9, 0.1, 10, 1000) is None
    assert implied_counts(1.0, 0.5, 10, 1000) is None


@every_study
def test_the_ensemble_of_2017(study_2017: Study2017) -> None:
    """From the file alone: each genre's best train F at epoch 10 among runs with a test F."""
    best: dict[str, tuple[float, float]] = defaultdict(lambda: (-1.0, 0.0))
    probabilities = defaultdict(list)
    with study_2017.table_path.open() as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            setting = (row["variant"], row["Regularizer"], row["FC1"], row["FC2"], row["genre"])
            f, train = float(row["test_fscore"]), float(row["train_fscore"])
            if row["epoch"] == "10" and float(row["test_accuracy"]) > 0:
                probabilities[setting].append((train, f))
    for setting, runs in probabilities.items():
        train, f = (sum(values) / len(values) for values in zip(*runs, strict=True))
        if not math.isnan(train) and not math.isnan(f):
            best[setting[4]] = max(best[setting[4]], (train, f))
    team = ensemble(study_2017.table()).totals.row(0, named=True)
    assert team["genres"] == len(best) == 10
    assert team["macro_f1"] == pytest.approx(sum(f for _, f in best.values()) / len(best))
    assert team["macro_f1"] == pytest.approx(float(study_2017.macro_f1), abs=0.0001)
    assert team["counts"] == "implied"
