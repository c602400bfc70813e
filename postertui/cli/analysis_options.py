"""Options and loading that the commands of the analysis share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postertui.cli.options import from_option, runs_option
from postertui.cli.reading import few_threads, read_history
from postertui.system.errors import UserError
from postertui.system.gc_pause import gc_paused

if TYPE_CHECKING:
    import polars as pl

    from postertui.history.selection import History


class EpochType(click.ParamType[str | int]):
    """`last`, `end`, `best` or an epoch's number."""

    name = "last|end|best|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        if isinstance(value, int) or value in ("last", "end", "best"):
            return value  # type: ignore[no-any-return]
        try:
            epoch = int(value)
        except ValueError:
            epoch = 0
        if epoch < 1:
            self.fail(
                f"{value!r} is not an epoch; use last, end, best or a number from 1", param, ctx
            )
        return epoch


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--runs DIR`, `--from TABLE` and FILTER, as the arguments `runs`, `source`, `query`.

    Libraries that the command imports are set up for a process that ends soon.
    """

    @functools.wraps(command)
    def brief(*, source: Path | None, runs: Path, **arguments: Any) -> Any:
        with few_threads(source or runs), gc_paused(freeze=True):
            return command(source=source, runs=runs, **arguments)

    decorated: Callable[..., Any] = brief
    for decorate in (
        from_option,
        runs_option,
        click.argument("query", metavar="[FILTER]", nargs=-1),
    ):
        decorated = decorate(decorated)
    return decorated


epoch_option = click.option(
    "--epoch",
    "rule",
    type=EpochType(),
    default="last",
    show_default=True,
    help="Compare at the last epoch that most runs reached, at each run's own end, at each run's "
    "best epoch (on the validation cohort, else on the test cohort), or at an epoch's number.",
)
metric_option = click.option(
    "--metric",
    help="Which metric; the soft F over the test cohort where every run has it, else the "
    "published test_fscore.",
)


def load(source: Path | None, runs: Path) -> History:
    """The history of `source`, or of the runs folder, with 2017's base rates filled in.

    Raises `UserError` as `read_history` does.
    """
    from postertui.history.schema import with_base_rates

    history = read_history(source or runs)
    return replace(history, table=with_base_rates(history.table))


def matching(history: History, query: Sequence[str]) -> pl.DataFrame:
    """The rows of the runs that the filter accepts. Raises `UserError` (exit code 3) for none."""
    text = " ".join(query)
    chosen = history.select(text).table
    if chosen is history.table:
        return chosen
    from postertui.filters import parse

    for family in parse(text, history.variant_names).families:
        click.echo(
            f"postertui: variant:{family} is not a variant's name; selected by family", err=True
        )
    if chosen.is_empty():
        raise UserError(f"no run with a finished epoch matches `{text}`", exit_code=3)
    return chosen


def chosen_metric(table: pl.DataFrame, metric: str | None) -> str:
    """`metric`, or the one that the table's runs all have."""
    from postertui.analysis.values import check_metric, default_metric

    metric = metric or default_metric(table)
    if metric not in table.columns and f"test_{metric}" in table.columns:
        metric = f"test_{metric}"  # as `report` calls it, whose figures show both cohorts
    check_metric(table, metric)
    return metric
