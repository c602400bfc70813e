"""Tables of metrics by epoch: of Keras' CSVLogger, exports of W&B, MLflow and TensorBoard."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from postertui.history.metric_names import SIDES, split_side
from postertui.importer.foreign import MAX_METRICS, ForeignHistory, printable
from postertui.importer.mapping import FileMapping
from postertui.published.log_names import LogName, parse_name
from postertui.published.unreadable import UnreadableLogError
from postertui.system.errors import UserError
from postertui.tabular import Table

#: Columns, in small letters and by preference, and what they are.
_EPOCH = ("epoch", "_epoch", "trainer/epoch", "epochs")
_STEP = ("step", "_step", "global_step", "trainer/global_step", "iteration")
_RUN = ("run_id", "run id", "run", "run_name", "run name", "run_uuid", "name")
_KEY = ("key", "metric", "metric_name", "tag")
#: Columns that say which cohort a row is of, as the `SIDES` of metrics' names do.
_COHORT = ("data", "split", "phase", "cohort", "subset", "partition", "stage", "set", "mode")
_VALUE = ("value", "metric_value")
_NO_METRICS = (
    "_runtime", "_timestamp", "timestamp", "time", "wall time", "wall_time", "created_at", "date",
    "relative time (process)", "relative time (wall)",
)  # fmt: skip

#: W&B's export of a chart: `run - metric`, and its envelope.
_CHART = re.compile(r"(?P<run>.+) - (?P<metric>[^-].*?)(?P<bound>__MIN|__MAX)?")


def read_metrics_table(table: Table, mapping: FileMapping) -> list[ForeignHistory]:
    """The histories in a table that has a row an epoch, or a row a value.

    Raises `UnreadableLogError` where it has none.
    """
    if not len(table.columns):
        raise UnreadableLogError("has no row below its header")
    columns = {name.strip().lower(): name for name in reversed(table.names)}
    if mapping.columns.get("epoch") is None and _first(columns, _KEY) and _first(columns, _VALUE):
        return list(_long_histories(table, columns))
    charts = {name: m for name in table.names if (m := _CHART.fullmatch(name))}
    if _first(columns, _STEP) and charts and len(charts) == len(table.names) - 1:
        return list(_chart_histories(table, columns, charts))
    return list(_wide_histories(table, columns, mapping))


def _wide_histories(
    table: Table, columns: Mapping[str, str], mapping: FileMapping
) -> Iterator[ForeignHistory]:
    """A row an epoch, or several that each have some of its metrics."""
    epoch_name = mapping.columns.get("epoch") or _first(columns, _EPOCH)
    counter = epoch_name or _first(columns, _STEP)
    if counter is not None and counter not in table.columns.columns:
        raise UnreadableLogError(f"has no column `{counter[:40]}` for the epochs")
    if counter is None and any(name.startswith(("metrics.", "params.")) for name in columns):
        raise UnreadableLogError("has a row a run and no epochs; export the metrics' history")
    run_name = _first(columns, _RUN)
    labels = {c: mapping.columns.get(c) or columns.get(c) for c in ("genre", "variant", "seed")}
    given = [name for name in (run_name, *labels.values()) if name in table.columns.columns]
    cohorts = _cohorts(table, columns)
    used = {counter, *given, *(columns.get(name) for name in _NO_METRICS)}
    metrics: dict[str, list[float]] = {}
    unused: list[str] = []
    for name in table.names:
        if name in used:
            continue
        if (values := _numbers(table, name)) is None:
            if not (cohorts and name.strip().lower() in _COHORT):
                unused.append(name)
            continue
        metrics |= _by_cohort(name, values, cohorts)
        if len(metrics) > MAX_METRICS:
            raise UnreadableLogError(f"has more than {MAX_METRICS} metrics")
    if not metrics:
        raise UnreadableLogError("has no column of numbers")
    steps = _steps(table, counter)
    keys = [table.text(name).to_list() for name in given]
    sections = table.sections.tolist() if table.sections is not None else [0] * len(steps)
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, key in enumerate(zip(*keys, strict=True) if keys else [()] * len(steps)):
        groups.setdefault(tuple(key), []).append(row)
    setting = _name_of(table)
    for key, rows in groups.items():
        settings: dict[str | None, object] = dict(zip(given, key, strict=True))
        for fit in _fits(rows, steps, sections, is_epoch=epoch_name is not None):
            epochs, merged = _merge(fit, steps, metrics)
            yield ForeignHistory(
                path=table.path,
                what=printable(table.path)
                + (f", {settings[run_name]}" if run_name in settings else ""),
                epochs=_from_one(epochs, is_epoch=epoch_name is not None),
                metrics=merged,
                genre=_text(settings.get(labels["genre"])),
                variant=_text(settings.get(labels["variant"])) or _text(settings.get(run_name)),
                seed=_whole(settings.get(labels["seed"])),
                name=setting if not given else None,
                problem="" if setting else "its name fits none of the rules for logs of 2017",
                unused=unused,
            )


def _long_histories(table: Table, columns: Mapping[str, str]) -> Iterator[ForeignHistory]:
    """A row a value: run, metric, step, value (MLflow, TensorBoard's tables)."""
    key, value = _first(columns, _KEY), _first(columns, _VALUE)
    step, run = _first(columns, _EPOCH) or _first(columns, _STEP), _first(columns, _RUN)
    assert key is not None
    assert value is not None
    if step is None:
        raise UnreadableLogError("has values by metric, but no column `step` or `epoch`")
    numbers, steps = _numbers(table, value), _steps(table, step)
    if numbers is None:
        raise UnreadableLogError(f"its column `{value}` has no numbers")
    names = table.text(key).to_list()
    if cohorts := _cohorts(table, columns):
        names = [n and f"{cohort}_{n}" for n, cohort in zip(names, cohorts, strict=True)]
    runs = table.text(run).to_list() if run else [None] * len(names)
    histories: dict[str | None, dict[str, dict[int, float]]] = {}
    for row, (name, number) in enumerate(zip(names, numbers, strict=True)):
        if name is not None:
            histories.setdefault(runs[row], {}).setdefault(name, {})[steps[row]] = number
    for label, metrics in histories.items():
        yield history_of_series(table.path, metrics, label)


def _chart_histories(
    table: Table, columns: Mapping[str, str], charts: Mapping[str, re.Match[str]]
) -> Iterator[ForeignHistory]:
    """A column for each run and metric, as W&B exports a chart."""
    steps = _steps(table, _first(columns, _STEP))
    histories: dict[str, dict[str, dict[int, float]]] = {}
    for name, match in charts.items():
        numbers = None if match["bound"] else _numbers(table, name)
        if numbers is not None:
            points = {s: v for s, v in zip(steps, numbers, strict=True) if not math.isnan(v)}
            histories.setdefault(match["run"], {})[match["metric"]] = points
    for run, metrics in histories.items():
        yield history_of_series(table.path, metrics, run)


def history_of_series(
    path: Path, series: Mapping[str, Mapping[int, float]], variant: str | None
) -> ForeignHistory:
    """A history from values by step of each metric.

    Steps that count epochs, from 0 or 1, are epochs; others are numbered in their order.

    Parameters
    ----------
    path
        Of the file, for messages.
    series
        By metric, the value at each step.
    variant
        What the history is called; None where the file does not say.
    """
    if len(series) > MAX_METRICS:
        raise UnreadableLogError(f"has {len(series)} metrics, more than {MAX_METRICS}")
    steps = sorted({step for points in series.values() for step in points})
    metrics = {
        name: [points.get(step, math.nan) for step in steps] for name, points in series.items()
    }
    return ForeignHistory(
        path=path,
        what=printable(path) + (f", {variant}" if variant else ""),
        epochs=_from_one(steps, is_epoch=False),
        metrics=metrics,
        variant=variant,
    )


def _cohorts(table: Table, columns: Mapping[str, str]) -> list[str] | None:
    """Which cohort each row is of, where a column says so."""
    for wanted in _COHORT:
        if (name := columns.get(wanted)) is None:
            continue
        texts = table.text(name)
        sides = texts.str.to_lowercase().replace_strict(SIDES, default=None)
        if len(texts) and not sides.null_count():
            return sides.to_list()
    return None


def _by_cohort(
    name: str, values: list[float], cohorts: Sequence[str] | None
) -> dict[str, list[float]]:
    """The metric of each cohort, undefined in the rows of the others."""
    if cohorts is None or split_side(name)[0] or name.strip().lower() in ("lr", "learning_rate"):
        return {name: values}
    return {
        f"{cohort}_{name}": [
            value if other == cohort else math.nan
            for value, other in zip(values, cohorts, strict=True)
        ]
        for cohort in dict.fromkeys(cohorts)
    }


def _first(columns: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((columns[name] for name in names if name in columns), None)


def _numbers(table: Table, name: str) -> list[float] | None:
    """The column as numbers, NaN where undefined; None where it is none of numbers."""
    try:
        values = table.cast(name, pl.Float64)
    except UserError:
        return None
    if len(values) and values.null_count() == len(values):
        texts = table.columns[name].drop_nulls()
        return None if not len(texts) else values.fill_null(math.nan).to_list()
    return values.fill_null(math.nan).to_list()


def _steps(table: Table, name: str | None) -> list[int]:
    """The steps or epochs; the row's number where no column has them."""
    if name is None:
        return list(range(1, len(table.columns) + 1))
    try:
        steps = table.cast(name, pl.Float64)
    except UserError as error:
        raise UnreadableLogError(str(error).removeprefix(f"{table.path}, ")) from None
    wrong = (steps.is_null() | (steps < 0) | (steps > 2**53)).fill_null(value=True)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        where = table.where(row).removeprefix(f"{table.path}, ")
        raise UnreadableLogError(f"{where}, column `{name}`: not an epoch or step")
    return steps.floor().cast(pl.Int64).to_list()


def _fits(
    rows: Sequence[int], steps: Sequence[int], sections: Sequence[int], *, is_epoch: bool
) -> Iterator[list[int]]:
    """The rows of each `fit`: another begins where the epochs start over."""
    fit = [rows[0]]
    for before, row in pairwise(rows):
        is_other = steps[row] < steps[before] if is_epoch else sections[row] != sections[before]
        restarts = sections[row] != sections[before] and steps[row] <= steps[before]
        if is_other or restarts:
            yield fit
            fit = []
        fit.append(row)
    yield fit


def _merge(
    rows: Sequence[int], steps: Sequence[int], metrics: Mapping[str, Sequence[float]]
) -> tuple[list[int], dict[str, list[float]]]:
    """One value an epoch: the last that is defined."""
    epochs = sorted({steps[row] for row in rows})
    place = {epoch: index for index, epoch in enumerate(epochs)}
    merged = {}
    for name, values in metrics.items():
        column = np.full(len(epochs), np.nan)
        for row in rows:
            if not math.isnan(values[row]):
                column[place[steps[row]]] = values[row]
        merged[name] = column.tolist()
    return epochs, merged


def _from_one(steps: Sequence[int], *, is_epoch: bool) -> list[int]:
    """Epochs from 1: steps that count from 0 or 1 by one, or the order of others."""
    if not steps:
        return []
    if is_epoch or (steps[0] in (0, 1) and steps[-1] - steps[0] == len(steps) - 1):
        return [step + (steps[0] == 0) for step in steps]
    return list(range(1, len(steps) + 1))


def _name_of(table: Table) -> LogName | None:
    """The setting that a table called as a log of 2017 has in its name."""
    try:
        return parse_name(f"{table.path.name.partition('.')[0]}.txt")
    except UnreadableLogError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    try:
        return int(float(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
