"""A classical model's one row stands beside networks' last ones."""

from __future__ import annotations

from pathlib import Path

from postertui.analysis.values import run_values
from postertui.history.from_runs import history_table
from postertui.runs.store import Store
from postertui.study import check_variant
from tests.support.trained_models import build_data, write_many_sizes, write_model


def test_a_classical_models_row_counts_at_every_epoch(tmp_path: Path) -> None:
    data = build_data(tmp_path / "data", write_many_sizes(tmp_path / "posters", 6))
    for name, model in (("base", "network"), ("forest", "forest")):
        variant = check_variant(name, {"model": model, **({"epochs": 1} if name == "base" else {})})
        write_model(tmp_path / "runs", data, "Comedy", variant=variant)
    store = Store(tmp_path / "runs")
    store.refresh()
    table = history_table(store.runs.values())
    rows = dict(table.select("name", "stopped_early").iter_rows())
    assert rows == {"base": False, "forest": True}
    assert dict(table.select("name", "Regularizer").iter_rows())["forest"] == "NoReg"
    values = run_values(table, "test_fscore_soft")
    assert set(values["state"]) == {"ok"}
