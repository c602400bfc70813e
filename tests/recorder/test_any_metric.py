"""A metric that only a script knows is filtered, compared, drawn and exported as any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postertui import read_table
from postertui.dashboard.state.metrics import label_of, recorded_metrics
from postertui.dashboard.state.run_view import view_of
from postertui.recorder import LoggedRun
from postertui.runs.store import Store
from tests.support.analysis_runs import postertui


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for variant, plus in (("base", 0.0), ("mine", 0.2)):
        for genre in ("Comedy", "Drama"):
            for seed in range(3):
                with LoggedRun(genre, variant=variant, seed=seed, runs=folder) as run:
                    for epoch in range(3):
                        run.epoch({"loss": 1.0, "val_auc": 0.5 + plus + seed / 100 + epoch / 50})
    return folder


def test_it_is_filtered(runs: Path) -> None:
    listing = postertui("runs", "test_auc>0.7", "--runs", runs, "--json")
    assert listing.stdout.count('"name": "mine"') == 6
    wrong = postertui("runs", "test_auk>0.7", "--runs", runs)
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    assert "unknown field `test_auk`" in wrong.stderr


def test_it_is_compared(runs: Path) -> None:
    done = postertui("compare", "--runs", runs, "--metric", "auc", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["metric"] == "test_auc"
    numbers = [v for row in result["variants"] for v in row.values() if isinstance(v, float)]
    assert any(abs(abs(number) - 0.2) < 1e-9 for number in numbers)


def test_it_is_drawn_by_the_dashboard(runs: Path) -> None:
    store = Store(runs)
    store.refresh()
    view = view_of(next(iter(store.runs.values())))
    assert recorded_metrics(view.history.extra_names) == ["auc"]
    assert label_of("auc") == "auc"
    assert len(view.values("test", "auc")) == 3
    assert view.newest("auc") == view.best("auc")
    again = Store(runs)
    again.refresh()  # from the cache, where one was kept
    assert next(iter(again.runs.values())).epochs.extra_names == ("test_auc",)


@pytest.mark.slow
def test_it_is_drawn_in_a_figure(runs: Path, tmp_path: Path) -> None:
    more = ("--runs", runs, "--out", tmp_path, "--metric", "auc", "--compare", "name")
    done = postertui("report", *more)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.png"))
    wrong = postertui("report", *more[:-3], "auk", "--compare", "name")
    assert wrong.returncode == 2
    assert "the table has no test_auk" in wrong.stderr
    assert "auc" in wrong.stderr


def test_it_is_in_the_table(runs: Path) -> None:
    table = read_table(runs)
    assert table["test_auc"].null_count() == 0
    assert table.filter(name="mine", epoch=3)["test_auc"].to_list()[0] == pytest.approx(0.74)
