"""Means over seeds, epoch by epoch, against NumPy and scipy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from postertui.analysis.replicates import mean_and_sd, replicates
from postertui.errors import UserError
from tests.analysis.tables import history, soft, stack

METRIC = "test_fscore_soft"


def test_mean_sd_and_interval_at_every_epoch() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.05, (4, 5))
    table = stack(*(soft("base", "Comedy", s, values[s].tolist()) for s in range(4)))
    found = replicates(table, [METRIC])
    assert found["epoch"].to_list() == [1, 2, 3, 4, 5]
    assert found["n"].unique().to_list() == [4]
    assert found["mean"].to_list() == pytest.approx(values.mean(axis=0))
    assert found["sd"].to_list() == pytest.approx(values.std(axis=0, ddof=1))
    low, high = stats.t.interval(0.95, 3, values.mean(axis=0), stats.sem(values, axis=0))
    assert found["low"].to_list() == pytest.approx(low)
    assert found["high"].to_list() == pytest.approx(high)


def test_a_single_run_has_a_mean_and_no_interval() -> None:
    row = replicates(soft("base", "Comedy", 0, 0.3), [METRIC]).row(0, named=True)
    assert (row["mean"], row["n"], row["sd"], row["low"]) == (0.3, 1, None, None)


def test_a_dead_run_counts_until_it_dies() -> None:
    table = stack(
        soft("base", "Comedy", 0, 0.3),
        soft("base", "Comedy", 1, 0.5, dead=[False, False, True, True, True]),
    )
    found = replicates(table, [METRIC])
    assert found["n"].to_list() == [2, 2, 1, 1, 1]
    assert found["mean"].to_list() == pytest.approx([0.4, 0.4, 0.3, 0.3, 0.3])


def test_metrics_and_columns_are_as_asked_for() -> None:
    table = stack(history("base", seed=0), history("base", seed=1), history("other"))
    found = replicates(table, ["test_loss", "train_loss"], by=("name",))
    assert found.columns == ["name", "epoch", "metric", "mean", "sd", "n", "low", "high"]
    assert set(found["metric"]) == {"test_loss", "train_loss"}
    assert found.filter(pl.col("name") == "base")["n"].unique().to_list() == [2]
    with pytest.raises(UserError, match="no metric"):
        replicates(table, ["nonsense"])


def test_in_words() -> None:
    assert mean_and_sd(0.3851, 0.0042, 5) == "0.385 ± 0.004 (n = 5)"
    assert mean_and_sd(0.3851, None, 1) == "0.385"
    assert mean_and_sd(None, None, 0) == "n/a"
