"""Histories of other programs as rows of the history table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from postertui.history.metric_names import map_names, split_outputs
from postertui.history.schema import EXTRA_NAME, MAX_EPOCH, SCHEMA
from postertui.importer.mapping import FileMapping
from postertui.published.log_names import LogName
from postertui.published.unreadable import UnreadableLogError
from postertui.runs.store import METRICS
from postertui.study.labels import UNKNOWN_SETTING

#: More metrics than this are no history's.
MAX_METRICS = 500


@dataclass(frozen=True)
class ForeignHistory:
    """One history as another program wrote it.

    `metrics` are lists over `epochs` under the program's names, NaN where undefined. `path` is
    the file or folder that it came from, `what` that and what else sets it apart from others there.
    Genre, variant and seed are those that the file gives. `name` is the setting in a file name of
    2017, `counts` the final confusion counts of such a log, `problem` why the name has none.
    `unused` are names in the file whose values are no numbers.
    """

    path: Path
    what: str
    epochs: Sequence[int]
    metrics: Mapping[str, Sequence[float]]
    genre: str | None = None
    variant: str | None = None
    seed: int | None = None
    name: LogName | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    unused: Sequence[str] = ()


def to_frames(
    history: ForeignHistory, mapping: FileMapping
) -> tuple[list[pl.DataFrame], list[str]]:
    """The rows of the history, one table for each output of its network; names not used.

    Raises `UnreadableLogError` where it has no metric, or nothing says its genre or variant.
    """
    if len(history.metrics) > MAX_METRICS:
        raise UnreadableLogError(f"has {len(history.metrics)} metrics, more than {MAX_METRICS}")
    if not history.epochs:
        raise UnreadableLogError("has no epoch")
    if max(history.epochs) > MAX_EPOCH:
        raise UnreadableLogError(f"has an epoch beyond {MAX_EPOCH:,}")
    explicit = {column: name for column, name in mapping.columns.items() if name in history.metrics}
    outputs = (
        {} if mapping.genre or history.genre or history.name else split_outputs(history.metrics)
    )
    if not outputs:
        frame, unused = _frame(history, mapping, explicit, {n: n for n in history.metrics})
        return [frame], [*unused, *history.unused]
    frames = []
    used: set[str] = set()
    for output, metrics in outputs.items():
        part = {**metrics, **{n: n for n in history.metrics if n in ("lr", "learning_rate")}}
        single = ForeignHistory(
            history.path,
            history.what,
            history.epochs,
            history.metrics,
            output,
            history.variant,
            history.seed,
        )
        frames.append(_frame(single, mapping, explicit, part)[0])
        used |= part.keys()
    return frames, [*(name for name in history.metrics if name not in used), *history.unused]


def _frame(
    history: ForeignHistory,
    mapping: FileMapping,
    explicit: Mapping[str, str],
    names: Mapping[str, str],
) -> tuple[pl.DataFrame, list[str]]:
    """`names` gives the metrics to use, each with the name it counts as."""
    by_name = {shown: name for name, shown in names.items() if name not in explicit.values()}
    columns = map_names(
        by_name,
        columns=[*METRICS, *(c for c in SCHEMA if c not in ("epoch", "variant"))],
        validation=mapping.validation or "test",
    )
    sources = {column: by_name[shown] for shown, column in columns.items()}
    sources = {c: n for c, n in sources.items() if _is_metric(c)} | dict(explicit)
    if not sources:
        shown = ", ".join(f"`{n[:40]}`" for n in list(history.metrics)[:6]) or "nothing"
        raise UnreadableLogError(f"has no metric, only {shown}")
    data = {
        column: [v if math.isfinite(v) else None for v in history.metrics[name]]
        for column, name in sources.items()
    }
    frame = pl.DataFrame(
        {"epoch": list(history.epochs), **data},
        schema={"epoch": pl.Int64, **{c: _dtype(c) for c in data}},
        strict=False,
    )
    last = pl.int_range(pl.len()) == len(history.epochs) - 1
    frame = frame.with_columns(
        *(pl.lit(value).alias(name) for name, value in _setting(history, mapping).items()),
        *(pl.when(last).then(pl.lit(n, pl.Int64)).alias(c) for c, n in history.counts.items()),
    )
    unused = [name for name in names if name not in sources.values()]
    return frame, unused


def _is_metric(column: str) -> bool:
    return column in METRICS or (column not in SCHEMA and EXTRA_NAME.fullmatch(column) is not None)


def _dtype(column: str) -> type[pl.DataType]:
    return SCHEMA[column] if SCHEMA.get(column) is pl.Boolean else pl.Float64


def _setting(history: ForeignHistory, mapping: FileMapping) -> dict[str, object]:
    """The columns that identify the history."""
    if (name := history.name) is not None:
        return {
            "Regularizer": name.regularizer,
            "FC1": name.fc1,
            "FC2": name.fc2,
            "genre": mapping.genre or name.genre,
            "variant": mapping.variant or name.family,
            **({} if mapping.seed is None else {"seed": mapping.seed}),
        }
    genre, variant = mapping.genre or history.genre, mapping.variant or history.variant
    if genre is None:
        problem = history.problem or "nothing says its genre"
        raise UnreadableLogError(f"{problem}; give its genre with --genre or --map")
    seed = history.seed if mapping.seed is None else mapping.seed
    return {
        "Regularizer": UNKNOWN_SETTING,
        "FC1": 0,
        "FC2": 0,
        "genre": genre,
        "variant": variant or "script",
        "name": variant or "script",
        **({} if seed is None else {"seed": seed}),
    }


def printable(path: Path | str) -> str:
    """A path as text, whatever bytes its name has."""
    return str(path).encode("utf-8", "surrogateescape").decode(errors="replace")
