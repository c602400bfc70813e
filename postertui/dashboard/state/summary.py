"""What the analysis says about the whole study: every number of the summary, marks and sentences.

The numbers are those of `postertui compare` and `postertui bars`: their functions are called on
the same table. Polars and SciPy are imported on the first call, which belongs in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.number_format import score, signed
from postertui.dashboard.state.metrics import fields_of
from postertui.system.errors import UserError
from postertui.system.text import pluralize, to_single_line

if TYPE_CHECKING:
    import polars as pl

    from postertui.analysis.measured_runs import MeasuredRuns

#: The variant that the others are compared with.
REFERENCE = "base"

MarginVerdict = Literal["above", "unclear", "below", ""]


@dataclass(frozen=True)
class Margin:
    """A variant's mean F over its genre's baseline at `epoch`, as the mean of `seeds` runs.

    `low` to `high` is the 95 % interval, None where no error is known.
    """

    value: float
    baseline: float
    margin: float
    low: float | None
    high: float | None
    verdict: MarginVerdict
    seeds: int
    epoch: int

    @property
    def short_sentence(self) -> str:
        """`by +.042 (+.010 to +.074), epoch 10, 1 seed`."""
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" ({signed(self.low)} to {signed(self.high)})"
        when = f"epoch {self.epoch}, {pluralize(self.seeds, 'seed')}"
        return f"by {signed(self.margin)}{interval}, {when}"

    @property
    def sentence(self) -> str:
        """`above baseline by .042 (+.010 to +.074), epoch 10, 1 seed`."""
        by = f"by {score(abs(self.margin))}"
        when = f"epoch {self.epoch}, {pluralize(self.seeds, 'seed')}"
        if self.low is None or self.high is None:
            side = "over" if self.margin > 0 else "under"
            return f"{side} baseline {by}, error unknown, {when}"
        interval = f"({signed(self.low)} to {signed(self.high)})"
        if self.verdict == "unclear":
            return f"unclear: {signed(self.margin)} {interval} to baseline, {when}"
        return f"{self.verdict} baseline {by} {interval}, {when}"


@dataclass(frozen=True)
class Difference:
    """A variant's difference to the reference in one genre, as `compare` gives it."""

    value: float
    reference_value: float
    difference: float
    low: float | None
    high: float | None
    p_adjusted: float | None
    verdict: str
    pairs: int


@dataclass(frozen=True)
class VariantSummary:
    """A variant's mean difference over genres, as `compare` gives it."""

    genres: int
    difference: float
    p_adjusted: float | None
    verdict: str
    better: int
    worse: int
    note: str


@dataclass(frozen=True)
class StudySummary:
    """The analysis of a table. Keys are (genre, variant), both cleaned for the screen.

    `genres` are in order of their base rate, most frequent first; `undefined_genres` have no
    defined test value at the epoch. `run_margins` has what holds for one run alone: those that
    are not at the common `epoch`. `values` are means over seeds, and `adjusted` a variant's mean
    and the number of genres in it, as in `postertui leaderboard`. `problem` is why there are no
    differences.
    """

    metric: str = ""
    epoch: int = 0
    genres: tuple[str, ...] = ()
    undefined_genres: tuple[str, ...] = ()
    baselines: Mapping[str, float] = field(default_factory=dict)
    margins: Mapping[tuple[str, str], Margin] = field(default_factory=dict)
    differences: Mapping[tuple[str, str], Difference] = field(default_factory=dict)
    variants: Mapping[str, VariantSummary] = field(default_factory=dict)
    values: Mapping[tuple[str, str], float] = field(default_factory=dict)
    adjusted: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    run_margins: Mapping[str, Margin] = field(default_factory=dict)
    comparisons: int = 0
    problem: str = ""
    notes: tuple[str, ...] = ()

    def margin_of(self, run: str, genre: str, variant: str) -> Margin | None:
        """The margin that holds for a run: its own, or its variant's at the common epoch."""
        return self.run_margins.get(run) or self.margins.get((genre, variant))


def metric_column(table: pl.DataFrame, metric: str) -> str:
    """The table's column of a metric's name in the view; for `f` the analysis' default."""
    from postertui.analysis.values import default_metric

    if metric in ("f", "learning_rate"):
        return default_metric(table)
    column = f"test_{fields_of(metric)[0]}"
    has_values = column in table.columns and not bool(table[column].is_null().all())
    return column if has_values else default_metric(table)


def summarize(table: pl.DataFrame, metric: str = "f") -> StudySummary:
    """The summary of a history table."""
    if table.is_empty():
        return StudySummary(problem="no run has finished an epoch")
    from postertui.analysis.baselines import baselines, margins
    from postertui.analysis.measured_runs import measure_runs
    from postertui.analysis.values import common_epoch

    column = metric_column(table, metric)
    epoch = int(common_epoch(table))
    by_genre = {str(r["genre"]): r for r in baselines(table, column).iter_rows(named=True)}
    rates = {genre: row["base_rate"] or 0.0 for genre, row in by_genre.items()}
    order = sorted(rates, key=lambda g: (-rates[g], natural_key(g)))
    is_score = column.removeprefix("test_").startswith("fscore")
    measured = measure_runs(table, column)
    margin_rows = (
        margins(table, column, measured=measured).iter_rows(named=True) if is_score else ()
    )
    margin_of_setting = {_key(row): _margin(row, epoch) for row in margin_rows}
    differences, variants, comparisons, problem, notes = _compare(table, measured)
    values, adjusted = _means(measured)
    defined = {genre for genre, _ in (*margin_of_setting, *differences)}
    return StudySummary(
        metric=column,
        epoch=epoch,
        genres=tuple(_clean(g) for g in order if _clean(g) in defined),
        undefined_genres=tuple(_clean(g) for g in order if _clean(g) not in defined),
        baselines={
            _clean(genre): row["baseline"]
            for genre, row in by_genre.items()
            if is_score and row["baseline"] is not None
        },
        margins=margin_of_setting,
        differences=differences,
        variants=variants,
        values=values,
        adjusted=adjusted,
        run_margins=dict(_run_margins(table, measured, epoch)) if is_score else {},
        comparisons=comparisons,
        problem=problem,
        notes=notes,
    )


def _compare(
    table: pl.DataFrame, measured: MeasuredRuns
) -> tuple[dict[tuple[str, str], Difference], dict[str, VariantSummary], int, str, tuple[str, ...]]:
    from postertui.analysis.compare import compare

    try:
        comparison = compare(table, against=REFERENCE, metric=measured.metric, measured=measured)
    except UserError as error:
        return {}, {}, 0, to_single_line(error, 200), ()
    cells = {
        _key(row): Difference(
            value=row["value"],
            reference_value=row["reference_value"],
            difference=row["difference"],
            low=_defined(row["low"]),
            high=_defined(row["high"]),
            p_adjusted=_defined(row["p_adjusted"]),
            verdict=row["verdict"],
            pairs=row["pairs"],
        )
        for row in comparison.cells.iter_rows(named=True)
        if _defined(row["difference"]) is not None
    }
    rows = {
        _clean(row["name"]): VariantSummary(
            genres=row["genres"],
            difference=row["difference"],
            p_adjusted=_defined(row["p_adjusted"]),
            verdict=row["verdict"],
            better=row["better"],
            worse=row["worse"],
            note=row["note"] or "",
        )
        for row in comparison.rows.iter_rows(named=True)
    }
    return cells, rows, comparison.cells.height, "", comparison.notes


def _means(
    measured: MeasuredRuns,
) -> tuple[dict[tuple[str, str], float], dict[str, tuple[float, int]]]:
    from postertui.analysis.adjusted_means import adjusted_means
    from postertui.analysis.leaderboard import setting_means

    cells = setting_means(measured.values).sort("genre", "name")
    overall = adjusted_means(cells, measured.noise, 1.0)
    return (
        {_key(row): row["mean"] for row in cells.iter_rows(named=True)},
        {
            _clean(row["name"]): (row["mean"], row["genres"])
            for row in overall.iter_rows(named=True)
        },
    )


def _run_margins(
    table: pl.DataFrame, common: MeasuredRuns, epoch: int
) -> Iterator[tuple[str, Margin]]:
    """The own margin of every run that did not end at the common epoch, at its last one.

    With the noise of `common`, the runs at the common epoch: that a run which was cancelled after
    four epochs is far from one with three hundred is no noise of either.
    """
    import polars as pl

    from postertui.analysis.baselines import margins
    from postertui.analysis.measured_runs import measure_runs

    ends = table.group_by("run", maintain_order=True).agg(
        pl.first("name", "genre"), pl.max("epoch").alias("end")
    )
    others = ends.filter(pl.col("end") != epoch).with_columns(
        turn=pl.int_range(pl.len()).over("name", "genre")
    )
    if others.is_empty():
        return
    measured = replace(measure_runs(table, common.metric, "end"), noise=common.noise)
    # `margins` takes the mean over the runs of a variant and genre: one of each at a time.
    for _, group in others.group_by("turn"):
        runs = {(r["name"], r["genre"]): (r["run"], r["end"]) for r in group.iter_rows(named=True)}
        names = [run for run, _ in runs.values()]
        for row in margins(table, common.metric, "end", measured, runs=names).iter_rows(named=True):
            run, end = runs[row["name"], row["genre"]]
            yield run, _margin(row, end)


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return _clean(row["genre"]), _clean(row["name"])


def _margin(row: dict[str, Any], epoch: int) -> Margin:
    return Margin(
        value=row["value"],
        baseline=row["baseline"],
        margin=row["margin"],
        low=_defined(row["low"]),
        high=_defined(row["high"]),
        verdict=row["verdict"],
        seeds=row["n"],
        epoch=epoch,
    )


def _defined(value: float | None) -> float | None:
    return None if value is None or value != value else value


def _clean(text: object) -> str:
    return to_single_line(text)
