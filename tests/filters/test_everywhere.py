"""The same filter selects the same runs: of the run list, of the table, on the screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.dashboard.state.run_view import view_of
from postertui.filters import FIELDS, parse
from postertui.filters.matching import TEXTS
from postertui.history.schema import SCHEMA
from postertui.history.selection import RUN_ONLY_FIELDS, History, open_history
from postertui.history.writing import write_table
from postertui.importer import import_paths
from postertui.runs.notes import change_notes
from postertui.runs.store import Run, Store
from postertui.system.errors import UserError
from tests.support.analysis_runs import postertui
from tests.support.dashboard_runs import MadeRuns, milestone
from tests.support.table_files import HEADER, ROWS, write

VALUES = {
    "genre": ["comedy", "*o*", "drama,horror"],
    "variant": ["l2-*", "base", "regularizer*"],
    "name": ["base", "no-reg"],
    "family": ["base", "regul*"],
    "state": ["done", "running,failed", "queued"],
    "study": ["milestone4", "imported"],
    "run": ["comedy*", "*base*"],
    "regularizer": ["NoReg", "L*", "L1=1e-5"],
    "mode": ["sound", "published"],
    "device": ["cpu*"],
    "host": ["here"],
    "tag": ["good"],
    "dead": ["yes", "no"],
}
NUMBERS = [0, 1, 2, 3, 0.05, 0.25, 0.5, 1e-3, 6, 7, 10, 64, 256]


def terms(fields: list[str]) -> st.SearchStrategy[str]:
    """Filters of one term, over all `fields`."""
    texts = [f for f in fields if f in VALUES]
    numbers = sorted(set(fields) - set(texts))
    return st.one_of(
        st.sampled_from(texts).flatmap(
            lambda f: st.sampled_from(VALUES[f]).map(lambda v: f"{f}:{v}")
        ),
        st.builds(
            "{}{}{:g}".format,
            st.sampled_from(numbers),
            st.sampled_from(["=", "!=", "<", ">", "<=", ">="]),
            st.sampled_from(NUMBERS),
        ),
        st.sampled_from(["comedy", "l2", "nothing", "*-*"]),
    )


def filters(fields: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        terms(fields),
        lambda inner: st.one_of(
            inner.map("not ({})".format),
            st.builds("({}){}({})".format, inner, st.sampled_from([" ", " or "]), inner),
        ),
        max_leaves=4,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A study in mid-training, with a tag, a dead run and runs of 2017."""
    folder = tmp_path_factory.mktemp("everywhere")
    made: MadeRuns = milestone(folder / "runs")
    dead = made.add("War", "l2-1e-4", epochs=4, state="done", dead=True)
    done = postertui("import", write(folder / "t.tsv", HEADER, *ROWS), "--runs", made.folder)
    assert done.returncode == 0, done.stderr
    change_notes(made.folder, [dead], lambda note: msgspec.structs.replace(note, tags=("good",)))
    yield made.folder
    made.close()


def trained(folder: Path) -> dict[str, Run]:
    """The runs with a finished epoch."""
    store = Store(folder)
    store.refresh()
    return {name: run for name, run in store.runs.items() if run.epoch}


def listed(runs: dict[str, Run], text: str) -> set[str]:
    """Those that `postertui runs` lists."""
    matches = parse(text, variant_names(runs)).matches
    return {name for name, run in runs.items() if matches(run.record())}


def variant_names(runs: dict[str, Run]) -> set[str]:
    return {run.spec.variant.name for run in runs.values() if run.spec is not None}


@pytest.fixture(scope="module")
def folder(runs: Path) -> tuple[dict[str, Run], History]:
    return trained(runs), open_history(runs)


@settings(deadline=None, max_examples=150)
@given(text=filters(sorted(FIELDS)))
def test_of_a_folder_of_its_table_and_on_the_screen(
    folder: tuple[dict[str, Run], History], text: str
) -> None:
    runs, history = folder
    expected = listed(runs, text)
    assert set(history.select(text).table["run"]) == expected
    matches = parse(text, variant_names(runs)).matches
    assert {name for name, run in runs.items() if matches(view_of(run).record)} == expected
    if not parse(text).fields & set(RUN_ONLY_FIELDS):
        assert set(History(history.table).select(text).table["run"]) == expected


@pytest.mark.parametrize(
    "word", ["edy", "L2-1e", "regul", "NoReg", "don", "queued", "milestone", "--s0", "goo", "edyl"]
)
def test_word_is_looked_for_in_the_same_texts_on_the_screen(runs: Path, word: str) -> None:
    store = Store(runs)
    store.refresh()
    matches = parse(word).matches
    expected = listed(dict(store.runs), word)
    assert (expected == set()) == (word == "edyl")
    shown = {name for name, run in store.runs.items() if matches(view_of(run).record)}
    assert shown == expected


def test_text_that_is_searched_on_the_screen_has_every_text_of_the_record(runs: Path) -> None:
    store = Store(runs)
    store.refresh()
    for run in store.runs.values():
        record = view_of(run).record
        values = [record.get(field) for field in TEXTS]
        texts = [" ".join(v) if isinstance(v, tuple) else str(v) for v in values]
        assert getattr(record, "search_text", None) == "\0".join(texts).lower()


@settings(deadline=None, max_examples=150)
@given(text=filters(sorted(set(FIELDS) - {*RUN_ONLY_FIELDS, "run"})))
def test_of_a_table_and_of_its_import(imported: tuple[History, History], text: str) -> None:
    table, runs = (
        history.select(text).table.select("genre", "name", "Regularizer", "FC1", "FC2").unique()
        for history in imported
    )
    assert table.sort(table.columns).equals(runs.sort(table.columns))


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[History, History]:
    """A table of 2017, which says nothing of seeds, studies, base rates or batches; as runs."""
    folder = tmp_path_factory.mktemp("imported")
    more = [
        ("L1=1e-5", "256", "64", "War", "batch64", "1", "0.7", "0.3"),
        ("L1=1e-5", "256", "256", "Nowhere", "batch128", "3", "NaN", "0.02"),
    ]
    table = write(folder / "t.tsv", HEADER, *ROWS, *more)
    import_paths([table], folder / "runs")
    return open_history(table), open_history(folder / "runs")


def test_what_a_table_does_not_say_is_refused(imported: tuple[History, History]) -> None:
    documented = {name.lower() for name in SCHEMA} | {"family"}
    # A record's `standing` is what `state` filters by, too; it is no field of its own.
    run_only = set(RUN_ONLY_FIELDS) - {"standing"}
    assert run_only == set(FIELDS) - documented
    for name in sorted(run_only):
        with pytest.raises(UserError, match=f"`{name}`.*--runs"):
            imported[0].select(f"comedy or not {name}:1")


@pytest.mark.slow
def test_every_command_filters_by_state(runs: Path, tmp_path: Path) -> None:
    query = ["state:done", "variant:base,l2-*"]
    expected = listed(trained(runs), " ".join(query))
    in_list = json.loads(postertui("runs", *query, "--runs", runs, "--json").stdout)
    assert {run["run"] for run in in_list} == expected
    table = tmp_path / "t.parquet"
    postertui("export", *query, "--runs", runs, "-o", table)
    assert set(pl.read_parquet(table)["run"]) == expected

    compared = postertui("compare", *query, "--runs", runs, "--json")
    assert compared.returncode == 0, compared.stderr
    [row] = json.loads(compared.stdout)["variants"]
    # Those of Drama and Horror go on, at epoch 6; the dead one ended at epoch 4.
    assert (row["name"], row["dead"], row["short"]) == ("l2-1e-4", 1, 0)
    drawn = postertui(
        "report", *query, "--compare", "Regularizer", "--runs", runs, "--out", tmp_path, "--json"
    )
    assert drawn.returncode == 0, drawn.stderr
    marks = pl.read_csv(json.loads(drawn.stdout)[0]["csv"], infer_schema_length=None)
    assert set(marks.filter(pl.col("Regularizer") == "L2=1e-4")["genre"]) == {"Comedy", "War"}

    none = postertui("compare", "state:queued", "--runs", runs)
    assert (none.returncode, none.stderr.count("\n")) == (3, 1)
    assert "no run with a finished epoch matches `state:queued`" in none.stderr
    of_file = tmp_path / "t.tsv"
    write_table(open_history(runs).table, of_file)
    refused = postertui("leaderboard", "state:done", "--from", of_file)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "`state`" in refused.stderr
