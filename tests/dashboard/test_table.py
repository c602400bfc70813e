"""The table's rows and columns, apart from the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from postertui.analysis.leaderboard import leaderboard
from postertui.dashboard.number_format import always_yes, compact, duration, score, throughput
from postertui.dashboard.state.assessment import assess
from postertui.dashboard.state.run_view import RunView, view_of
from postertui.dashboard.state.summary import summarize
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.table.column_widths import needed_widths, place
from postertui.dashboard.table.columns import BY_ID, COLUMNS, RunFacts
from postertui.dashboard.table.group_means import group_means
from postertui.dashboard.table.row_names import distinct_cuts, variant_names
from postertui.dashboard.table.rows import GroupRow, ordered
from postertui.dashboard.widgets.run_detail import detail_lines
from postertui.history.from_runs import history_table
from postertui.runs.store import Store
from tests.support.dashboard_runs import MadeRuns, milestone


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[RunView]]:
    made_runs = milestone(tmp_path / "runs")
    yield read(made_runs)
    made_runs.close()


def read(made: MadeRuns) -> list[RunView]:
    store = Store(made.folder, cache=False)
    store.refresh()
    return [view_of(run) for run in store.runs.values()]


def text(run: RunView, column: str) -> str:
    return BY_ID[column].cell(run)[0]


def of(runs: list[RunView], genre: str, variant: str) -> RunView:
    (run,) = [r for r in runs if (r.genre, r.variant) == (genre, variant)]
    return run


def test_a_row_shows_every_field_of_a_run(runs: list[RunView]) -> None:
    run = of(runs, "Horror", "l2-1e-4")
    rate = run.test_base_rate
    newest = [e["test_fscore_soft"] for e in run.history]
    assert text(run, "state") == "▸"
    assert text(run, "epoch") == "6/10"
    assert text(run, "newest") == score(newest[-1])
    assert text(run, "best") == f"{score(max(newest))}@{newest.index(max(newest)) + 1}"
    assert text(run, "base") == score(rate)
    assert text(run, "yes") == score(always_yes(rate))
    assert text(run, "seconds") == "1.4s"
    facts = RunFacts(remaining_of=lambda _: 5.6)
    assert BY_ID["remaining"].cell(run, facts)[0] == "5.6s"
    assert text(run, "device") == "cpu:0"
    assert text(run, "dead") == ""


@pytest.mark.parametrize("column", [c.id for c in COLUMNS])
@pytest.mark.parametrize("reverse", [False, True])
def test_any_column_sorts_and_undefined_comes_last(
    runs: list[RunView], column: str, reverse: bool
) -> None:
    rows = ordered(runs, ViewOptions(sort=column, reverse=reverse), frozenset())
    assert len(rows) == len(runs)
    keys = [BY_ID[column].key(row) for row in rows if isinstance(row, RunView)]
    defined_keys = [k for k in keys if not (isinstance(k, tuple) and k[:1] == (True,))]
    assert defined_keys == sorted(defined_keys, reverse=reverse)  # type: ignore[type-var]
    assert keys[: len(defined_keys)] == defined_keys


def test_pinned_runs_are_on_top(runs: list[RunView]) -> None:
    last = ordered(runs, ViewOptions(), frozenset())[-1]
    assert isinstance(last, RunView)
    assert ordered(runs, ViewOptions(), {last.name})[0] is last


@pytest.mark.parametrize(("group", "titles"), [
    ("genre", ["Comedy", "Drama", "Horror"]),
    ("variant", ["base", "l2-1e-4", "no-reg"]),
])  # fmt: skip
def test_groups_have_heads(runs: list[RunView], group: str, titles: list[str]) -> None:
    rows = ordered(runs, ViewOptions(group=group), frozenset())
    heads = [row for row in rows if isinstance(row, GroupRow)]
    assert [head.title for head in heads] == titles
    assert heads[0].runs == sum(getattr(r, group) == titles[0] for r in runs)


def test_means_of_groups_are_of_like_with_like(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    # The better of two variants is there in the harder genre alone.
    for genre, level in (("Drama", 0.6), ("Comedy", 0.4), ("Horror", 0.2)):
        for variant, more in (("base", 0.0), ("no-reg", 0.1)):
            if (genre, variant) != ("Drama", "no-reg"):
                for seed in range(2):
                    made_runs.add(
                        genre, variant, seed=seed, epochs=9, state="done", level=level + more
                    )
    store = Store(made_runs.folder, cache=False)
    store.refresh()
    table = history_table(store.runs.values())
    summary = summarize(table)
    means = group_means(summary, "variant")
    overall = {r["name"]: r for r in leaderboard(table).overall.iter_rows(named=True)}
    assert {name: mean.mean for name, mean in means.items()} == pytest.approx(
        {name: row["mean"] for name, row in overall.items()}
    )
    assert means["no-reg"].mean > means["base"].mean
    assert str(means["no-reg"]).endswith(", 2 genres, adjusted")
    by_genre = group_means(summary, "genre")
    assert ", 1 variant, those that all genres have" in str(by_genre["Drama"])
    # Groups go by their means where a score is what sorts.
    options = ViewOptions(group="variant", sort="newest", reverse=True)
    rows = ordered(read(made_runs), options, frozenset(), means=means)
    assert [row.title for row in rows if isinstance(row, GroupRow)] == ["no-reg", "base"]


def test_no_two_rows_look_alike(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    base = made_runs.variants["base"]
    made_runs.add("Comedy", "base", epochs=1)
    made_runs.add("Comedy", msgspec.structs.replace(base, fc1=512), epochs=1)
    made_runs.add("Comedy", msgspec.structs.replace(base, batch_size=32), epochs=1)
    made_runs.add("Comedy", "no-reg", epochs=1)
    views = read(made_runs)
    names = variant_names(views)
    assert len(set(names.values())) == len(names) == 3
    assert {v.variant for v in views if v.name not in names} == {"no-reg"}
    rows = [ordered(some, ViewOptions(), frozenset()) for some in (views, views[::-1])]
    assert rows[0] == rows[1]
    longs = ["reduce-lr-256x64", "reduce-lr-256x1024", "reduce-lr-100x1024", "reduce-1r-100x1024"]
    cuts = distinct_cuts(longs, 8)
    assert len(set(cuts.values())) == 4
    assert all(len(cut) <= 8 for cut in cuts.values())


@pytest.mark.parametrize("width", [20, 34, 50, 64, 100])
def test_columns_fit_and_the_most_important_stay(runs: list[RunView], width: int) -> None:
    placed = place(width, needed_widths(runs))
    ids = [p.column.id for p in placed]
    assert {"state", "genre", "newest"} <= set(ids) or width < 30
    assert sum(p.width + 1 for p in placed) - 1 <= max(width, 23)
    if width >= 100:
        assert {"best", "yes", "base", "seconds", "remaining", "device"} <= set(ids)


@pytest.mark.parametrize("width", [42, 57, 78])
def test_seeds_are_told_apart_and_long_runs_are_not_cut(tmp_path: Path, width: int) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    long = msgspec.structs.replace(made_runs.variants["base"], epochs=1200)
    for seed in (0, 1):
        made_runs.add("Comedy", long, seed=seed, epochs=120, state="done")
    views = read(made_runs)
    placed = {p.column.id: p.width for p in place(width, needed_widths(views))}
    assert "seed" in placed
    assert sum(w + 1 for w in placed.values()) - 1 <= width
    for column in placed.keys() & {"epoch", "best"}:
        assert all(len(text(view, column)) <= placed[column] for view in views)


def test_verdict_and_reason_are_below_the_table(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    good = made_runs.add("Comedy", epochs=8, level=0.9)
    for seed in (1, 2):
        made_runs.add("Comedy", epochs=8, level=0.9, seed=seed)
    dead = made_runs.add(
        "Drama", "no-reg", epochs=6, dead=True, state="failed", reason="out of memory"
    )
    store = Store(made_runs.folder, cache=False)
    store.refresh()
    table = history_table(store.runs.values())
    margin = summarize(table).margin_of(good, "Comedy", "base")
    assert margin is not None
    assert (margin.verdict, margin.seeds, margin.epoch) == ("above", 3, 8)
    assert margin.low is not None
    assert 0 < margin.low < margin.margin
    lines = [t for t, _ in detail_lines(view_of(store.runs[good]), margin, None, 60, 4)]
    assert lines[0].startswith("above baseline by .")
    assert "epoch 8, 3 seeds" in " ".join(lines)
    assert text(view_of(store.runs[dead]), "newest") == "dead"
    assessment = assess(table, dead)
    messages = detail_lines(view_of(store.runs[dead]), None, assessment, 60, 6)
    assert messages[0] == ("out of memory", "failed")
    assert any("NaN since epoch 1" in line for line, _ in messages)
    # However little room there is, it is kept to.
    narrow = detail_lines(view_of(store.runs[dead]), None, assessment, 20, 3)
    assert len(narrow) == 3
    assert all(len(line) <= 20 for line, _ in narrow)
    assert assess(table, "no such run").findings == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.4126, ".413"), (1.0, "1.00"), (0.0, ".000"), (None, "–"), (float("nan"), "–")],
)
def test_scores(value: float | None, expected: str) -> None:
    assert score(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(1e-3, ".001"), (1.25, "1.25"), (18.34, "18.3"), (1e-6, "1e-6")]
)
def test_numbers(value: float, expected: str) -> None:
    assert compact(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0s"),
        (9.2e-3, "9ms"),
        (0.0996, "0.1s"),
        (0.42, "0.4s"),
        (12.3, "12s"),
        (200, "3m20"),
        (7500, "2h05"),
        (273_600, "3d4h"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (412.3, "412 epochs/s"),
        (2.46, "2.5 epochs/s"),
        (0.5, "30 epochs/min"),
        (0.004, "14 epochs/h"),
    ],
)
def test_throughput(rate: float, expected: str) -> None:
    assert throughput(rate) == expected
