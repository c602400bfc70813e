"""Every diagnosis from a history that has it, and none from one that has not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest

from postertui.analysis.diagnosis import diagnose_table
from postertui.analysis.findings import RunFinding
from postertui.analysis.row_states import dead_rows
from postertui.analysis.undefined import undefined_causes
from tests.support.analysis_tables import history, stack
from tests.support.calibration import false_alarms
from tests.support.study_2017 import Study2017, every_study


def jitter(seed: int = 0, epochs: int = 12, sd: float = 0.003) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(0, sd, epochs)


def curve(values: Any, **columns: Any) -> pl.DataFrame:
    values = np.asarray(values, dtype=float)
    usual = {
        "test_fscore_soft": values.tolist(),
        "test_fscore": values.tolist(),
        "train_fscore_soft": np.linspace(0.4, 0.6, len(values)).tolist(),
        "train_loss": np.linspace(1.0, 0.8, len(values)).tolist(),
    }
    return history(epochs=len(values), **(usual | columns))


def diagnose(table: pl.DataFrame) -> list[RunFinding]:
    """The table's findings, worst first."""
    fields = ("kind", "since_epoch", "line", "advice")
    return [RunFinding(*row) for row in diagnose_table(table).select(fields).iter_rows()]


def kinds(table: pl.DataFrame) -> dict[str, int]:
    return {finding.kind: finding.since_epoch for finding in diagnose(table)}


def test_a_run_that_does_well_has_no_finding() -> None:
    plateau = 0.35 - 0.2 * np.exp(-np.arange(12) / 1.2) + jitter()
    assert kinds(curve(plateau)) == {}


def test_dead_since_its_first_dead_epoch() -> None:
    table = curve([0.3] * 12, dead=[False] * 4 + [True] * 8)
    assert kinds(table) == {"dead": 5}
    (finding,) = diagnose(table)
    assert "NaN since epoch 5" in finding.line
    assert finding.advice


def test_the_chance_of_an_empty_batch_is_given_where_the_cohort_is_known() -> None:
    """Of 1,000 posters, 1 % positive, in four batches of 256: 1-(1-.99^256)^(1000/256)."""
    table = curve(
        [0.3] * 12, dead=True, train_base_rate=0.01, test_base_rate=0.01, batch_size=256
    ).with_columns(train_tp=5, train_fp=5, train_fn=5, train_tn=985)
    expected = 1 - (1 - 0.99**256) ** (1000 / 256)
    assert f"({100 * expected:.0f} % of epochs" in diagnose(table)[0].line


@pytest.mark.parametrize(
    ("counts", "kind"), [((200, 800, 0, 0), "always-yes"), ((0, 0, 200, 800), "always-no")]
)
def test_collapse_shows_in_confusion_counts(counts: tuple[int, ...], kind: str) -> None:
    healthy = (150, 300, 50, 500)
    columns = {
        f"test_{cell}": [healthy[i]] * 3 + [counts[i]] * 9
        for i, cell in enumerate(("tp", "fp", "fn", "tn"))
    }
    assert kinds(curve([0.3] * 12, **columns)) == {kind: 4}


def test_collapse_shows_in_accuracies_where_there_are_no_counts() -> None:
    accuracy = [0.6, 0.5, *[0.28077225] * 10]
    table = curve(
        [0.4] * 12, genre="Drama", test_accuracy=accuracy, test_fscore_soft=None, test_fscore=0.43
    )
    assert kinds(table) == {"always-yes": 3}


def test_an_accuracy_that_passes_through_the_base_rate_is_no_collapse() -> None:
    accuracy = [0.6] * 5 + [0.28077225] + [0.6] * 6
    assert "always-yes" not in kinds(curve([0.4] * 12, genre="Drama", test_accuracy=accuracy))


def test_overfitting_since_the_test_curve_turned() -> None:
    peak = np.concatenate([np.linspace(0.2, 0.4, 5), np.linspace(0.39, 0.25, 7)]) + jitter()
    findings = kinds(curve(peak))
    assert list(findings) == ["overfitting"]
    assert 5 <= findings["overfitting"] <= 7
    assert kinds(curve(peak, train_fscore_soft=np.linspace(0.6, 0.3, 12).tolist())) == {}


def test_noise_is_not_overfitting() -> None:
    wrong = [
        seed for seed in range(50) if "overfitting" in kinds(curve(0.35 + jitter(seed, sd=0.01)))
    ]
    assert len(wrong) <= 5


def test_still_improving() -> None:
    assert list(kinds(curve(np.linspace(0.1, 0.4, 12) + jitter()))) == ["improving"]


def test_diverging() -> None:
    loss = [1.0, 0.8, 0.7, 0.65, 0.7, 0.9, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0]
    assert kinds(curve(0.3 + jitter(), train_loss=loss)).get("diverging") == 5


def test_empty_batches_are_explained_and_a_dead_run_has_them_too() -> None:
    table = curve(
        [0.3] * 12,
        test_fscore=None,
        test_fscore_soft=None,
        dead=[False] * 6 + [True] * 6,
    )
    assert kinds(table) == {"dead": 7, "empty batches": 1}
    line = diagnose(table)[1].line
    assert "undefined in 6 of 6 live epochs" in line


def test_causes_of_an_undefined_f() -> None:
    """Undefined in one live run of a genre but not in another is not an empty batch's doing."""
    table = stack(
        history("a", "War", test_fscore=None),
        history("b", "War", test_fscore=None, dead=[False, True, True, True, True]),
        history("c", "Drama", test_fscore=[None, 0.3, 0.3, 0.3, 0.3]),
        history("d", "Drama", test_fscore=0.3),
        history("e", "Drama", test_fscore=None),
    )
    causes = Counter(undefined_causes(table)["cause"].to_list())
    assert causes == {"empty batch": 6, "dead": 4, "unexplained": 6}


def test_findings_of_a_table_are_in_order_and_whole() -> None:
    table = stack(
        history("b", "War", dead=True), history("a", "War", dead=True), history("c", "Crime")
    )
    findings = diagnose_table(table)
    assert findings["name"].to_list() == ["a", "b"]
    assert findings.null_count().sum_horizontal().item() == 0
    assert diagnose_table(table.clear()).is_empty()


@every_study
def test_a_table_of_2017_has_no_unexplained_undefined_f(study_2017: Study2017) -> None:
    """Counted from the file: test accuracy exactly 0, and test_fscore NaN."""
    table = study_2017.table()
    assert (table["test_accuracy"] == 0).sum() == study_2017.dead_epochs
    assert table.filter(dead_rows(table)).height == study_2017.dead_epochs
    assert table["test_fscore"].null_count() == study_2017.undefined_epochs
    causes = Counter(undefined_causes(table)["cause"].to_list())
    assert causes.total() == study_2017.undefined_epochs
    assert causes["unexplained"] == 0
    assert (
        causes["dead"]
        == table.filter((pl.col("test_accuracy") == 0) & pl.col("test_fscore").is_null()).height
    )


@every_study
def test_every_run_of_2017_that_dies_is_found(study_2017: Study2017) -> None:
    table = study_2017.table()
    died = table.filter(pl.col("test_accuracy") == 0)
    findings = diagnose_table(table).filter(pl.col("kind") == "dead")
    assert set(findings["run"]) == set(died["run"])
    first = dict(died.group_by("run").agg(pl.min("epoch")).iter_rows())
    assert dict(findings.select("run", "since_epoch").iter_rows()) == first
    decay = diagnose_table(table.filter(pl.col("name") == "lr-decay"))
    assert "always-yes" in decay["kind"].to_list()


@pytest.mark.parametrize(
    ("seeds", "correlation", "epochs"),
    [(1, 0.0, 10), (1, 0.8, 5), (1, 0.8, 10), (2, 0.8, 5), (3, 0.0, 10), (3, 0.8, 5), (5, 0.8, 10)],
)
def test_flat_curves_are_rarely_called_a_trend(seeds: int, correlation: float, epochs: int) -> None:
    assert false_alarms(seeds, correlation, 300, epochs=epochs).mean <= 0.06


def test_two_seeds_have_one_trend_of_their_mean() -> None:
    fall = np.concatenate([np.linspace(0.2, 0.4, 5), np.linspace(0.39, 0.25, 7)])
    gain = np.linspace(0.3, 0.8, 12).tolist()
    table = stack(
        *(
            history(
                "base", "Horror", s, epochs=12, train_fscore_soft=gain,
                test_fscore_soft=(fall + jitter(s)).tolist(),
            )
            for s in range(2)
        )
    )  # fmt: skip
    findings = diagnose_table(table)
    assert findings["kind"].to_list() == ["overfitting"] * 2
    assert findings["line"].n_unique() == 1
    assert "2 seeds" in findings["line"][0]


def test_a_fall_that_each_seed_hides_is_seen_in_all_together() -> None:
    rng = np.random.default_rng(0)
    curve = np.array([0.20, 0.23, 0.24, 0.24, 0.24, 0.235, 0.23, 0.225, 0.22, 0.215])
    gain = [0.2 + 0.03 * e for e in range(10)]
    table = stack(
        *(
            history(
                "base", "Horror", s, epochs=10, train_fscore_soft=gain,
                test_fscore_soft=(curve + rng.normal(0, 0.006, 10)).tolist(),
            )
            for s in range(8)
        )
    )  # fmt: skip
    findings = diagnose_table(table)
    assert findings["kind"].to_list() == ["overfitting"] * 8
    assert "8 seeds" in findings["line"][0]


def test_constant_curves_and_perfect_models_have_no_trend() -> None:
    for level in (0.0, 0.3, 1.0):
        table = stack(
            *(
                history("base", "Comedy", s, epochs=10, test_fscore_soft=level, train_loss=0.0)
                for s in range(3)
            )
        )
        assert diagnose_table(table).is_empty()


def test_a_history_that_is_there_twice_counts_once() -> None:
    fall = np.concatenate([np.linspace(0.2, 0.4, 5), np.linspace(0.39, 0.25, 7)])
    gain = np.linspace(0.3, 0.8, 12).tolist()
    once = history(
        "base", "Horror", epochs=12, train_fscore_soft=gain,
        test_fscore_soft=(fall + jitter()).tolist(),
    )  # fmt: skip
    twice = stack(once, once.with_columns(run=pl.lit("copy"), seed=1))
    assert diagnose_table(twice).drop("run").equals(diagnose_table(once).drop("run"))
