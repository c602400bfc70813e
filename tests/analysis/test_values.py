"""One number per run: which epoch, and what to call a run that has none."""

from __future__ import annotations

import polars as pl
import pytest

from postertui.analysis.repetition import repetition_notes
from postertui.analysis.values import (
    chosen_on_test,
    common_epoch,
    default_metric,
    rule_line,
    run_values,
)
from postertui.system.errors import UserError
from tests.support.analysis_tables import history, soft, stack
from tests.support.study_2017 import Study2017, every_study

METRIC = "test_fscore_soft"


def states(table: pl.DataFrame, rule: str | int = "last") -> dict[str, str]:
    return dict(run_values(table, METRIC, rule).select("name", "state").iter_rows())


def test_a_run_is_ok_dead_undefined_or_short() -> None:
    table = stack(
        soft("fine", "Comedy", 0, 0.3),
        soft("fine", "Drama", 0, 0.3),
        soft("dead", "Comedy", 0, 0.3, dead=[False, False, True, True, True]),
        history("undefined", test_fscore_soft=None),
        soft("short", "Comedy", 0, 0.3, epochs=2),
    )
    assert states(table) == {
        "fine": "ok",
        "dead": "dead",
        "undefined": "undefined",
        "short": "short",
    }
    values = run_values(table, METRIC)
    assert values.filter(pl.col("state") != "ok")["value"].null_count() == 3


def test_without_the_column_dead_is_an_accuracy_of_exactly_zero() -> None:
    table = stack(
        soft("gone", "Comedy", 0, 0.3, test_accuracy=[0.6, 0.6, 0.6, 0.0, 0.0]),
        soft("bad", "Comedy", 0, 0.3, test_accuracy=0.001),
    )
    assert states(table) == {"gone": "dead", "bad": "ok"}


def test_every_rule_takes_its_epoch() -> None:
    rising = soft("up", "Comedy", 0, 0.0).with_columns(pl.Series(METRIC, [0.1, 0.4, 0.5, 0.3, 0.2]))
    longer = soft("long", "Comedy", 0, 0.0, epochs=6).with_columns(
        pl.Series(METRIC, [0.1, 0.1, 0.1, 0.1, 0.7, 0.9])
    )
    table = stack(rising, longer, soft("x", "Comedy", 0, 0.3))
    expected: dict[str | int, tuple[float, float]] = {
        "last": (0.2, 0.7),
        "end": (0.2, 0.9),
        "best": (0.5, 0.9),
        2: (0.4, 0.1),
    }
    for rule, (up, long) in expected.items():
        values = dict(run_values(table, METRIC, rule).select("name", "value").iter_rows())
        assert (values["up"], values["long"]) == (up, long), rule


def test_best_of_a_loss_is_the_lowest() -> None:
    table = history(test_loss=[3.0, 1.0, 2.0, 4.0, 5.0])
    assert run_values(table, "test_loss", "best")["value"].to_list() == [1.0]


def test_best_does_not_take_an_epoch_of_a_dead_model() -> None:
    table = history(
        test_fscore_soft=[0.1, 0.2, 0.9, 0.9, 0.9], dead=[False, False, True, True, True]
    )
    assert run_values(table, METRIC, "best")["value"].to_list() == [0.2]


def test_the_common_epoch_is_the_last_of_most_runs() -> None:
    table = stack(history("a", epochs=5), history("b", epochs=5), history("c", epochs=20))
    assert common_epoch(table) == 5
    assert common_epoch(stack(history("a", epochs=5), history("b", epochs=9))) == 5
    assert rule_line(table, "last") == "at epoch 5, the last that most runs reached"


def test_the_soft_f_is_taken_only_where_every_living_run_has_it() -> None:
    old, new = history("old"), soft("new", "Comedy", 0, 0.3)
    assert default_metric(new) == METRIC
    assert default_metric(stack(old, new)) == "test_fscore"
    died = history("died", dead=True)
    assert default_metric(stack(died, new)) == METRIC


def test_wrong_rules_and_metrics_are_named() -> None:
    with pytest.raises(UserError, match="no epoch rule 'worst'"):
        run_values(history(), "test_loss", "worst")
    with pytest.raises(UserError, match="no metric 'genre'"):
        run_values(history(), "genre")


@every_study
def test_a_table_of_2017_is_compared_at_epoch_ten_on_its_own_metric(study_2017: Study2017) -> None:
    table = study_2017.table()
    assert (default_metric(table), common_epoch(table)) == ("test_fscore", 10)
    counts = dict(run_values(table, "test_fscore")["state"].value_counts().iter_rows())
    # By hand from the file: a 20-epoch run may die after epoch 10.
    last = table.filter(pl.col("epoch") == 10)
    assert counts["dead"] == last.filter(pl.col("test_accuracy") == 0).height
    assert sum(counts.values()) == study_2017.runs


def test_a_run_that_stopped_early_is_at_its_end_at_the_last_epoch() -> None:
    table = stack(
        soft("base", "Comedy", 0, 0.3, epochs=10),
        soft("base", "Comedy", 1, 0.31, epochs=10),
        soft("stops", "Comedy", 0, 0.4, epochs=6, stopped_early=True),
        soft("broke off", "Comedy", 0, 0.4, epochs=6),
    )
    values = {row["run"]: row for row in run_values(table, METRIC).iter_rows(named=True)}
    ends = {row["name"]: (row["state"], row["epoch"]) for row in values.values()}
    assert ends == {"base": ("ok", 10), "stops": ("ok", 6), "broke off": ("short", None)}
    assert "1 that stopped early at their end, 6)" in rule_line(table, "last")
    # Where all stopped early, each is at its own end.
    early = stack(
        *(soft("base", "Comedy", s, 0.3, epochs=4 + s, stopped_early=True) for s in range(3))
    )
    assert run_values(early, METRIC)["epoch"].to_list() == [4, 5, 6]


def test_best_goes_by_the_validation_cohort_where_there_is_one() -> None:
    curves = {METRIC: [0.1, 0.5, 0.2, 0.3, 0.3], "val_fscore_soft": [0.1, 0.2, 0.3, 0.6, 0.4]}
    table = soft("base", "Comedy", 0, 0.0).with_columns(
        *(pl.Series(name, values) for name, values in curves.items())
    )
    assert run_values(table, METRIC, "best")["value"].to_list() == [0.3]
    assert not chosen_on_test(table, METRIC, "best")
    assert "validation" in rule_line(table, "best", METRIC)
    without = table.with_columns(val_fscore_soft=pl.lit(None, dtype=pl.Float64))
    assert run_values(without, METRIC, "best")["value"].to_list() == [0.5]
    assert chosen_on_test(without, METRIC, "best")
    assert "test cohort" in rule_line(without, "best", METRIC)


def test_the_same_seed_with_other_numbers_is_noted_and_counts() -> None:
    table = stack(soft("base", "Comedy", 0, 0.3), soft("base", "Comedy", 0, 0.4, replicate=1))
    (note,) = repetition_notes(table)
    assert "Comedy, base, seed 0" in note
    assert run_values(table, METRIC).height == 2
