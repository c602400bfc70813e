"""A condensed history table: few rows, and the verdicts of the whole table."""

from __future__ import annotations

import numpy as np
import pytest

from postertui.analysis import condensed
from postertui.analysis.baselines import baselines, margins
from postertui.analysis.compare import compare
from postertui.analysis.condensed import CondensedHistory
from postertui.analysis.repetition import repeated_histories
from postertui.analysis.values import common_epoch, default_metric
from postertui.history.from_runs import history_table
from postertui.published.facts import BASE_RATES
from postertui.runs.epoch_line import COLUMNS
from postertui.runs.lifecycle import RunLifecycle
from postertui.runs.store.buffer import EpochBuffer
from postertui.runs.store.columns import Rows
from postertui.runs.store.run import Run
from postertui.study import load_study
from tests.support.specs import made_spec

GENRES = ("Comedy", "Drama", "Horror")
INDEX = {name: i for i, name in enumerate(COLUMNS)}


def made_run(genre: str, variant: str, seed: int, rows: Rows) -> Run:
    rates = BASE_RATES[genre]
    spec = made_spec(
        load_study("milestone4").variants[variant],
        genre,
        seed=seed,
        study="milestone4",
        train_base_rate=rates[0],
        test_base_rate=rates[1],
    )
    done = RunLifecycle()
    for event in (
        {"event": "start", "attempt": 1, "time": 1.0},
        {"event": "end", "attempt": 1, "time": 2.0, "status": "done"},
    ):
        done.apply(event)
    return Run(spec.run, spec, done, buffer=EpochBuffer(rows))


def made_rows(rng: np.random.Generator, epochs: int, level: float, *, soft: bool = True) -> Rows:
    rows = np.full((epochs, len(COLUMNS)), np.nan)
    rows[:, INDEX["epoch"]] = np.arange(1, epochs + 1)
    rows[:, INDEX["attempt"]] = 1
    names = ["test_fscore", "train_fscore", "test_accuracy", "train_accuracy", "test_loss"]
    names += ["test_fscore_soft", "train_fscore_soft"] if soft else []
    for name in names:
        rows[:, INDEX[name]] = level + rng.normal(0, 0.02, epochs)
    for name in ("test_tp", "test_fp", "test_fn", "test_tn"):
        rows[:, INDEX[name]] = rng.integers(100, 900, epochs)
    rows[:, INDEX["learning_rate"]] = 1e-3
    rows[:, INDEX["dead"]] = 0
    return rows


@pytest.fixture(params=[True, False], ids=["soft", "published"])
def runs(request: pytest.FixtureRequest) -> list[Run]:
    """Three genres of four variants and three seeds, and one of each kind that is odd."""
    rng = np.random.default_rng(1)
    soft = request.param
    made = [
        made_run(
            genre, variant, seed, made_rows(rng, 30, 0.2 if "2" in variant else 0.4, soft=soft)
        )
        for genre in GENRES
        for variant in ("base", "l2-1e-2", "no-reg", "reduce-lr")
        for seed in range(3)
    ]
    copy = made_run("Drama", "base", 9, made[12].buffer.rows().copy())
    nearly = made[0].buffer.rows().copy()
    nearly[7, INDEX["train_loss"]] = 0.5
    dead = made_rows(rng, 30, 0.3, soft=soft)
    dead[5:, INDEX["dead"]] = 1
    dead[5:, INDEX["test_fscore"]] = np.nan
    always_yes = made_rows(rng, 30, 0.3, soft=soft)
    always_yes[10:20, INDEX["train_accuracy"]] = BASE_RATES["Horror"][0]
    always_yes[10:20, INDEX["test_accuracy"]] = BASE_RATES["Horror"][1]
    moved = made_rows(rng, 30, 0.35, soft=soft)
    moved[12:, INDEX["learning_rate"]] = 1e-4
    late = made_rows(rng, 30, 0.3, soft=soft)
    late[:9, INDEX["test_fscore_soft"]] = np.nan
    return [
        *made,
        copy,
        made_run("Comedy", "base", 9, nearly),
        made_run("Comedy", "bce", 0, dead),
        made_run("Horror", "bce", 0, always_yes),
        made_run("Drama", "reduce-lr", 9, moved),
        made_run("Drama", "bce", 0, late),
        made_run("Drama", "scratch", 0, made_rows(rng, 12, 0.3, soft=soft)),
        made_run("Drama", "reduce-lr-100", 0, made_rows(rng, 80, 0.3, soft=soft)),
    ]


def test_verdicts_are_those_of_the_whole_table(runs: list[Run]) -> None:
    whole, condensed = history_table(runs), CondensedHistory().table(runs)
    assert condensed.height < whole.height / 3
    metric = default_metric(whole)
    assert default_metric(condensed) == metric
    assert common_epoch(condensed) == common_epoch(whole) == 30
    assert repeated_histories(condensed).equals(repeated_histories(whole))
    assert repeated_histories(whole).height == 1
    assert baselines(condensed, metric).equals(baselines(whole, metric))
    for rule in ("last", "end"):
        assert margins(condensed, metric, rule).equals(margins(whole, metric, rule))
    left, right = compare(condensed, metric=metric), compare(whole, metric=metric)
    assert left.cells.equals(right.cells)
    assert left.rows.equals(right.rows)
    assert left.notes == right.notes


@pytest.mark.parametrize("batch", [1, 50])
def test_the_rows_kept_of_a_run_do_not_depend_on_what_is_read_with_it(
    runs: list[Run], batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = CondensedHistory().table(runs)
    monkeypatch.setattr(condensed, "_BATCH", batch)
    assert CondensedHistory().table(runs).equals(together)


def test_a_run_that_goes_on_is_read_again_and_no_other(runs: list[Run]) -> None:
    history = CondensedHistory()
    history.table(runs)
    rows = made_rows(np.random.default_rng(5), 13, 0.3)[12:]
    short = next(run for run in runs if run.epoch == 12)
    short.buffer.extend(rows)
    released: list[int] = []
    table = history.table(runs, lambda: released.append(1))
    assert table.equals(CondensedHistory().table(runs))
    assert table.filter(run=short.name)["epoch"].max() == 13
