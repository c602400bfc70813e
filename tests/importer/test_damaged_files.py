"""Hundreds of damaged files through all readers; `benchmarks.fuzz` does thousands."""

from __future__ import annotations

from pathlib import Path

from tests.support.importer_fuzzing import fuzz


def test_damaged_files_are_taken_or_refused_in_one_line(tmp_path: Path) -> None:
    counts, _ = fuzz(400, seed=1, folder=tmp_path)
    assert sum(counts.values()) == 400
    for kind in ("labels", "t.tsv", "training.csv", "csv2.csv", "model-1-256-256-history.txt"):
        assert counts[f"{kind} refused"] > 5, kind
        assert counts[f"{kind} taken"] > 0, kind
