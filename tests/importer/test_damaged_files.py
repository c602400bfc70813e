"""Hundreds of damaged files through both importers; `benchmarks.fuzz` does thousands."""

from __future__ import annotations

from pathlib import Path

from tests.support.importer_fuzzing import fuzz


def test_damaged_files_are_taken_or_refused_in_one_line(tmp_path: Path) -> None:
    counts, _ = fuzz(300, seed=1, folder=tmp_path)
    assert sum(counts.values()) == 300
    assert counts[".txt refused"] > 30
    assert counts[".tsv refused"] > 30
    assert counts[".tsv taken"] > 2
