"""Macro and micro F1 and costs of each variant, from the table of its runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from postertui.analysis.quality import variant_quality
from postertui.analysis.tables.quality import quality_section
from postertui.history.selection import open_history
from postertui.predictions.loading import load_runs
from tests.support.analysis_runs import write_study
from tests.support.predictions import write_predicted_runs


def test_macro_and_micro_f1_are_those_of_the_predictions(tmp_path: Path) -> None:
    names = write_predicted_runs(tmp_path, seeds=1, posters=600)
    rows = variant_quality(open_history(tmp_path).table)
    assert rows["name"].to_list() == ["bce", "base"]
    runs = [run for run in load_runs(tmp_path, names)[0] if run.variant == "base"]
    labels = np.stack([run.test.labels for run in runs], axis=1)
    p = np.stack([run.test.probabilities for run in runs], axis=1)
    base = rows.row(1, named=True)
    assert base["macro_f1"] == pytest.approx(f1_score(labels, p > 0.5, average="macro"), abs=1e-9)
    assert base["micro_f1"] == pytest.approx(f1_score(labels, p > 0.5, average="micro"), abs=1e-9)
    ap = [average_precision_score(labels[:, g], p[:, g]) for g in range(2)]
    assert base["test_ap"] == pytest.approx(np.mean(ap), abs=1e-9)
    assert base["train_seconds"] == 3.0


def test_costs_come_from_the_runs_records(tmp_path: Path) -> None:
    names = write_predicted_runs(tmp_path, seeds=2, variants={"base": 0.1})
    records = {name: {"predict_seconds": 10.0 + i % 2} for i, name in enumerate(names)}
    sizes = dict.fromkeys(names, 2_000_000)
    section = quality_section(open_history(tmp_path).table, records, sizes)
    row = section.frame.row(0, named=True)
    assert row["predict_seconds"] == pytest.approx(10.5)
    cells = [column.cell(row) for column in section.columns]
    assert cells[-2:] == ["10.5", "2.0 MB"]


def test_a_table_without_decisions_has_what_it_has(tmp_path: Path) -> None:
    table = open_history(write_study(tmp_path / "study.tsv")).table
    section = quality_section(table)
    assert section.frame["micro_f1"].null_count() == 2
    assert "AP" not in [column.heading for column in section.columns]


@pytest.mark.parametrize("validate", [True, False])
def test_the_note_names_the_chosen_threshold_only_beside_its_column(
    tmp_path: Path, validate: bool
) -> None:
    write_predicted_runs(tmp_path, seeds=1, validate=validate)
    section = quality_section(open_history(tmp_path).table)
    has_column = any(column.heading == "F chosen" for column in section.columns)
    assert has_column is validate
    assert ("F chosen" in " ".join(section.notes)) is validate
