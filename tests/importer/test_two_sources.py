"""A run that is in a log and in a table is one run, with what both say of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postertui import read_table
from postertui.history.schema import PUBLISHED_SCHEMA
from postertui.history.writing import write_table
from postertui.importer import ImportReport, import_paths
from postertui.runs.events import EventWriter
from postertui.runs.spec import read_spec
from postertui.runs.store import Store
from tests.support.logs_2017 import log_text, write_logs
from tests.support.study_2017 import Study2017, every_study
from tests.support.supervisor import make_spec, queue
from tests.support.table_files import write

LOGS = (
    "model-1-256-256-history.txt",
    "model-4-256-256-l1_0_0e+00-history.txt",
    "comedy_RLROP_100_history.txt",
    "scratch_model-9-256-256-history.txt",
)
COUNTS = {
    "train_tp",
    "train_fp",
    "train_fn",
    "train_tn",
    "test_tp",
    "test_fp",
    "test_fn",
    "test_tn",
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Four logs, and a table as published of three of them and of a run that has no log."""
    folder = tmp_path_factory.mktemp("sources")
    logs = write_logs(folder / "logs", *LOGS)
    (folder / "more").mkdir()
    (folder / "more" / "model-9-256-256-history.txt").write_text(log_text(shift=0.2))
    import_paths([logs, folder / "more"], folder / "runs")
    table = read_table(folder / "runs").filter(pl.col("variant") != "scratch")
    published = table.select(*PUBLISHED_SCHEMA).with_columns(
        pl.col("Regularizer").replace("L1=0", "L1=0e")
    )
    published.write_csv(folder / "table.tsv", separator="\t", null_value="NaN")
    return logs, folder / "table.tsv"


def counts_by_genre(runs: Path) -> dict[tuple[str, str], list[int | None]]:
    table = read_table(runs).sort("epoch")
    keys = table.select("genre", "name").unique().rows()
    return {(g, n): table.filter(genre=g, name=n)["test_tp"].to_list() for g, n in keys}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1, 0)])
def test_one_run_with_what_both_say(
    sources: tuple[Path, Path], order: tuple[int, ...], tmp_path: Path
) -> None:
    reports = [import_paths([sources[i]], tmp_path) for i in order]
    assert sum(len(r.added) for r in reports) == 5
    assert sum(r.existing for r in reports) == 4 * len(order) - 5
    assert not any(r.skipped for r in reports)
    assert counts_by_genre(tmp_path) == {
        ("Comedy", "base"): [None, None, 80],
        ("Comedy", "reduce-lr-100"): [None, None, 80],
        ("Drama", "l1-0"): [None, None, 80],
        ("Horror", "scratch"): [None, None, 80],
        ("Horror", "base"): [None, None, None],
    }
    table = read_table(tmp_path)
    assert table.height == 15
    assert set(table.filter(name="l1-0")["Regularizer"]) == {"L1=0" if order[0] == 0 else "L1=0e"}
    completed = [len(r.completed) for r in reports]
    assert completed == {2: [0, 0 if order[0] == 0 else 3], 4: [0, 3, 0, 0]}[len(order)]
    for report in reports:
        assert bool(report.notes) is bool(report.completed)
    assert {p.name for run in tmp_path.iterdir() if run.name[0] != "." for p in run.iterdir()} <= {
        "run.json", "events.jsonl", "lock"
    }  # fmt: skip


def test_the_note_says_what_was_added(sources: tuple[Path, Path], tmp_path: Path) -> None:
    logs, table = sources
    report = import_paths([table, logs], tmp_path)
    [note] = report.notes
    assert note.startswith(f"{logs}: 3 existing runs lacked ")
    assert all(name in note for name in COUNTS)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces=st.lists(st.tuples(st.integers(0, 1), st.sets(st.integers(0, 4), min_size=1)),
                       min_size=1, max_size=4))  # fmt: skip
def test_any_pieces_in_any_order(
    sources: tuple[Path, Path],
    pieces: list[tuple[int, set[int]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """However a study is cut into tables, each run comes of it once, with all that is said."""
    folder = tmp_path_factory.mktemp("pieces")
    import_paths(list(sources), folder / "whole")
    whole = read_table(folder / "whole")
    settings_ = whole.select("genre", "name").unique().sort("genre", "name").rows()
    wanted: dict[tuple[str, str], bool] = {}
    for number, (has_counts, chosen) in enumerate(pieces):
        part = whole.filter(
            pl.any_horizontal(
                (pl.col("genre") == g) & (pl.col("name") == n)
                for g, n in (settings_[i] for i in sorted(chosen))
            )
        )
        if not has_counts:
            part = part.select(*PUBLISHED_SCHEMA)
        part = part.drop("run", strict=False)
        part.write_csv(folder / f"{number}.csv", null_value="NaN")
        assert not import_paths([folder / f"{number}.csv"], folder / "runs").skipped
        for i in chosen:
            wanted[settings_[i]] = wanted.get(settings_[i], False) or bool(has_counts)
    counts = counts_by_genre(folder / "runs")
    full = counts_by_genre(folder / "whole")
    assert counts == {
        key: full[key] if has_counts else [None] * 3 for key, has_counts in wanted.items()
    }


def change(path: Path, column: str, value: float | None, epoch: int) -> Path:
    """A table like that at `path`, with another value at an epoch of Comedy's base."""
    table = read_table(path)
    at = (pl.col("genre") == "Comedy") & (pl.col("name") == "base") & (pl.col("epoch") == epoch)
    changed = table.with_columns(
        pl.when(at).then(pl.lit(value, pl.Float64)).otherwise(column).alias(column)
    )
    write_table(changed.drop("run"), path.with_name("other.csv"))
    return path.with_name("other.csv")


@pytest.mark.parametrize(
    ("column", "value", "epoch", "is_other"),
    [
        ("test_loss", 0.31, 1, False),
        ("test_loss", 0.31 * (1 + 1e-15), 1, False),  # as R writes it
        ("test_loss", 0.31 * (1 + 1e-9), 1, True),
        ("test_fscore", 0.52, 2, True),  # where the log says that it is undefined
        ("test_fscore", None, 3, True),
    ],
)
def test_another_number_is_another_run(
    column: str, value: float | None, epoch: int, is_other: bool, tmp_path: Path
) -> None:
    logs = write_logs(tmp_path / "logs", LOGS[0])
    import_paths([logs], tmp_path / "runs")
    write_table(read_table(tmp_path / "runs"), tmp_path / "t.csv")
    report = import_paths([change(tmp_path / "t.csv", column, value, epoch)], tmp_path / "runs")
    assert (len(report.added), report.existing) == ((1, 0) if is_other else (0, 1))


def test_fewer_epochs_or_no_metric_in_common_is_another_run(tmp_path: Path) -> None:
    runs = tmp_path / "runs"

    def is_other(name: str, *rows: tuple[str, ...]) -> bool:
        report = import_paths([write(tmp_path / name, *rows)], runs)
        assert len(report.added) + report.existing == 1
        return bool(report.added)

    keys = ("Regularizer", "FC1", "FC2", "genre", "variant", "epoch")
    setting = ("NoReg", "256", "256", "Comedy", "base")
    epochs = [(*setting, "1", "0.5"), (*setting, "2", "0.25")]
    assert is_other("a.tsv", (*keys, "test_loss"), *epochs)
    assert is_other("b.tsv", (*keys, "test_loss"), epochs[0])
    assert is_other("c.tsv", (*keys, "test_loss"), *epochs, (*setting, "3", "0.2"))
    assert is_other("d.tsv", (*keys, "test_fscore"), *epochs)
    # With one of them, it is that run, which then has the other as well.
    both = [(*epoch, "0.1") for epoch in epochs]
    assert not is_other("e.tsv", (*keys, "test_loss", "train_loss"), *both)
    assert not is_other("f.tsv", (*keys, "train_loss"), *[(*e[:-2], e[-1]) for e in both])


def test_equal_histories_of_one_source_are_one_run(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("model-1-256-256-history.txt", "model-1-256-256-2-history.txt"):
        (logs / name).write_text(log_text())
    report = import_paths([logs], tmp_path / "runs")
    assert len(report.added) == 1
    note = "1 histories there more than once, number for number; each imported once"
    assert f"{logs}: {note}" in report.notes
    table = read_table(tmp_path / "runs").select(*PUBLISHED_SCHEMA)
    pl.concat([table, table]).write_csv(tmp_path / "t.tsv", separator="\t", null_value="NaN")
    report = import_paths([tmp_path / "t.tsv"], tmp_path / "runs")
    assert (report.added, report.existing) == ([], 1)


def test_what_a_job_has_written_stays_as_it_is(tmp_path: Path) -> None:
    spec = make_spec("Comedy", epochs=2)
    [name] = queue(tmp_path / "runs", spec)
    with EventWriter(tmp_path / "runs" / name / "events.jsonl") as writer:
        writer.append("start", from_epoch=1)
        for epoch in (1, 2):
            writer.append("epoch", epoch=epoch, test_loss=epoch / 4, test_fscore=0.1 * epoch)
        writer.append("end", status="done")
    before = (tmp_path / "runs" / name / "events.jsonl").read_bytes()
    table = read_table(tmp_path / "runs").with_columns(train_loss=pl.lit(0.5))
    table.select(*PUBLISHED_SCHEMA).write_csv(tmp_path / "t.csv", null_value="NaN")
    report: ImportReport = import_paths([tmp_path / "t.csv"], tmp_path / "runs")
    assert (report.added, report.existing, report.completed) == ([], 1, [])
    assert (tmp_path / "runs" / name / "events.jsonl").read_bytes() == before


@every_study
def test_the_logs_and_the_table_of_2017(study_2017: Study2017, tmp_path: Path) -> None:
    logs, table_path = study_2017.logs_path, study_2017.table_path
    for number, paths in enumerate([[logs, table_path], [table_path, logs]]):
        runs = tmp_path / str(number)
        report = import_paths(paths, runs)
        assert (len(report.added), report.existing) == (study_2017.runs, study_2017.logs)
        table = read_table(runs)
        assert table["run"].n_unique() == study_2017.runs
        assert table.filter(pl.col("test_tp").is_not_null()).height == study_2017.logs
        assert len(report.completed) == study_2017.logs * number
        store = Store(runs)
        store.refresh()
        assert {run.state for run in store.runs.values()} == {"done"}
        assert read_spec(runs / report.added[0]).study == "imported"
