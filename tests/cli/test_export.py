"""`postertui export` as a user starts it: what it writes, and that it comes back unchanged."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from postertui import read_table
from postertui.history.schema import PUBLISHED_SCHEMA
from postertui.history.selection import open_history
from postertui.history.wide import write_wide
from postertui.importer import import_paths
from postertui.importer.mapping import HistoryMapping
from tests.support.analysis_runs import postertui, write_study
from tests.support.logs_2017 import write_logs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with honest metrics and several seeds, and runs of 2017."""
    folder = tmp_path_factory.mktemp("exported")
    study = write_study(folder / "study.tsv")
    logs = write_logs(
        folder / "logs",
        "model-1-256-256-history.txt",
        "model-1-256-256-2-history.txt",
        "model-4-256-256-l1_0_0e+00-history.txt",
    )
    assert not import_paths([study, logs], folder / "runs").skipped
    return folder / "runs"


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".parquet"])
def test_export_import_export_is_the_identity(suffix: str, runs: Path, tmp_path: Path) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    done = postertui("export", "--runs", runs, "-o", first)
    assert done.returncode == 0, done.stderr
    assert "27 runs" in done.stdout
    report = import_paths([first], tmp_path / "runs")
    assert sorted(report.added) == sorted(p.name for p in runs.iterdir() if p.name[0] != ".")
    postertui("export", "--runs", tmp_path / "runs", "-o", second)
    assert second.read_bytes() == first.read_bytes()
    assert import_paths([first], runs).added == []
    assert read_table(first).equals(read_table(runs))


def test_the_same_filter_gives_the_same_runs(runs: Path, tmp_path: Path) -> None:
    query = "variant:other genre:comedy,war test_fscore_soft>0.3 state:done"
    done = postertui("export", *query.split(), "--runs", runs, "-o", tmp_path / "t.csv", "--json")
    table = read_table(tmp_path / "t.csv")
    in_code = open_history(runs).select(query).table
    assert table["run"].unique().sort().equals(in_code["run"].unique().sort())
    assert json.loads(done.stdout)["runs"] == 6
    nothing = postertui("export", "genre:none", "--runs", runs, "-o", tmp_path / "n.csv")
    assert (nothing.returncode, (tmp_path / "n.csv").exists()) == (3, False)
    wrong = postertui("export", "gnre:none", "--runs", runs, "-o", tmp_path / "n.csv")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    assert "gnre" in wrong.stderr


def test_another_ending_is_refused(runs: Path, tmp_path: Path) -> None:
    done = postertui("export", "--runs", runs, "-o", tmp_path / "t.xlsx")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert ".tsv, .csv or .parquet" in done.stderr


def test_an_export_that_cannot_be_written_leaves_the_old_one(runs: Path, tmp_path: Path) -> None:
    done = postertui("export", "--runs", runs, "-o", tmp_path / "no" / "t.tsv")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not here")
def test_r_reads_the_same_numbers(runs: Path, tmp_path: Path) -> None:
    postertui("export", "--runs", runs, "-o", tmp_path / "t.tsv")
    code = (
        f't <- read.table("{tmp_path / "t.tsv"}", header=TRUE, sep="\\t");'
        'cat(names(t)[1:12], "\\n"); cat(class(t$test_fscore), class(t$epoch), nrow(t), "\\n");'
        'cat(sprintf("%.17g", sum(t$train_loss[!is.na(t$train_loss)])))'
    )
    result = subprocess.run(
        ["Rscript", "--vanilla", "-e", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout.split("\n")
    table = read_table(runs)
    assert result[0].split() == list(PUBLISHED_SCHEMA)
    assert result[1].split() == ["numeric", "integer", str(table.height)]
    loss = table["train_loss"].drop_nulls()
    assert float(result[2]) == pytest.approx(float(loss.cast(pl.Float64).sum()), rel=1e-12)


def test_a_wide_table_has_a_row_a_run_and_no_formula(runs: Path, tmp_path: Path) -> None:
    done = postertui("export", "--runs", runs, "-o", tmp_path / "w.csv", "--wide", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 27
    wide = pl.read_csv(tmp_path / "w.csv")
    table = read_table(runs)
    for row in wide.iter_rows(named=True):
        history = table.filter(run=row["run"]).sort("epoch")
        assert row["epochs"] == history["epoch"][-1]
        assert row["last_test_loss"] == pytest.approx(history["test_loss"][-1])
        assert row["best_test_fscore"] == history["test_fscore"].max()
    rows = table.filter(run=table["run"][0]).with_columns(
        genre=pl.lit("=cmd|' /C calc'!A0"), study=pl.lit("-1+1"), run=pl.lit("@x")
    )
    write_wide(rows, tmp_path / "f.csv")
    [row] = pl.read_csv(tmp_path / "f.csv").to_dicts()
    assert (row["genre"], row["study"], row["run"]) == ("'=cmd|' /C calc'!A0", "'-1+1", "'@x")
    wrong = postertui("export", "--runs", runs, "-o", tmp_path / "w.parquet", "--wide")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)


def test_tensorboard_reads_the_same_numbers(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    done = postertui("export", "--runs", runs, "-o", tmp_path / "tb", "--tensorboard")
    assert done.returncode == 0, done.stderr
    table = read_table(runs)
    import_paths([tmp_path / "tb"], tmp_path / "again", mapping=HistoryMapping(genre="Comedy"))
    again = read_table(tmp_path / "again")
    assert again["name"].n_unique() == table["run"].n_unique()
    for (run,), rows in table.sort("epoch").group_by("run"):
        written = dict(rows.select("epoch", "test_loss").drop_nulls().iter_rows())
        other = again.filter(name=run).select("epoch", "test_loss").drop_nulls()
        assert dict(other.iter_rows()) == pytest.approx(written, rel=1e-6)


ENDED = """
import os, signal, sys
from postertui.cli import main

def end_at_rename(event, arguments):
    if event == "os.rename" and "out" in str(arguments[1]):
        os.kill(os.getpid(), signal.SIGTERM)

sys.addaudithook(end_at_rename)
main()
"""


@pytest.mark.parametrize("wide", [(), ("--wide",)])
def test_export_that_is_asked_to_end_leaves_no_draft(
    wide: tuple[str, ...], runs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    command = [sys.executable, "-c", ENDED, "export", "--runs", str(runs), "-o", str(out), *wide]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr.decode()
    assert list(tmp_path.iterdir()) == []
