"""Histories of a table as runs: the `run.json` and `events.jsonl` of each."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.weights import Weights
from postertui.history.schema import DEFAULTS, SCHEMA, SETTING, extra_columns
from postertui.published.naming import variant_from_2017
from postertui.runs.bounds import FORMAT_VERSION, MAX_NUMBER
from postertui.runs.events import encode_event
from postertui.runs.run_names import is_run_name
from postertui.runs.spec import IMPORTED_DATA, RunSpec
from postertui.runs.store import METRICS
from postertui.system.version import __version__

#: The columns that differ from epoch to epoch, in the order of their events.
PER_EPOCH = [name for name in METRICS if name in SCHEMA]

#: Rows that are turned into events at a time: some two kilobytes each, three times in memory.
_CHUNK = 10_000

_FLOATS = [name for name in PER_EPOCH if SCHEMA[name] is pl.Float64]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ImportedRun:
    """One history: its rows, its events and the digest of its numbers.

    `row` is the first of its `rows`, at `place` of the table `chunk`; `numbers` (epochs, `columns`)
    are NaN where undefined or missing. `name` is the run's name, where the table gives one.
    """

    row: dict[str, object]
    chunk: pl.DataFrame
    place: slice
    name: str | None
    epochs: IntArray
    columns: tuple[str, ...]
    numbers: FloatArray
    digest: str
    events: bytes
    now: float

    @property
    def rows(self) -> pl.DataFrame:
        return self.chunk[self.place]

    def spec(self) -> RunSpec:
        """The run's spec."""
        row = self.row
        label = str(row["Regularizer"])
        variant = variant_from_2017(
            str(row["variant"]),
            label,
            int(row["FC1"]),  # type: ignore[call-overload]
            int(row["FC2"]),  # type: ignore[call-overload]
            epochs=int(self.epochs[-1]),
            name=str(row["name"]),
            batch_size=row["batch_size"],  # type: ignore[arg-type]
        )
        return RunSpec(
            variant=variant,
            genre=str(row["genre"]),
            seed=row["seed"] or DEFAULTS["seed"],  # type: ignore[arg-type]
            study=str(row["study"] or DEFAULTS["study"]),
            data="",
            data_fingerprint=f"{IMPORTED_DATA}{self.digest}",
            weights=Weights("imagenet", "imported"),
            train_base_rate=row["train_base_rate"],  # type: ignore[arg-type]
            test_base_rate=row["test_base_rate"],  # type: ignore[arg-type]
            val_base_rate=row.get("val_base_rate"),  # type: ignore[arg-type]
            mode="published" if row["test_fscore_soft"] is None else "sound",
            created=self.now,
            versions={"postertui": __version__},
            label=label if label != variant.regularizer_label else None,
        )


def per_epoch_columns(table: pl.DataFrame) -> list[str]:
    """The columns that differ from epoch to epoch, those of other programs included."""
    return [*PER_EPOCH, *extra_columns(table)]


def chunks(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The table in pieces of whole runs, by run and epoch.

    Only one piece is in memory beside the table.
    """
    order = table.select(pl.arg_sort_by("run", "epoch", maintain_order=True)).to_series()
    start = 0
    for end in _ends(table["run"].gather(order)):
        if end - start >= _CHUNK or end == len(table):
            yield table[order[start:end]]
            start = end


def _ends(runs: pl.Series) -> list[int]:
    """Behind which rows another run begins, and the end."""
    changes = np.flatnonzero(runs.rle_id().diff().fill_null(0).to_numpy()).tolist()
    return [*changes, len(runs)] if len(runs) else []


def histories_of(table: pl.DataFrame, named: frozenset[str], now: float) -> Iterator[ImportedRun]:
    """The histories of a table whose runs are one after the other; `named` keep their names."""
    ends = _ends(table["run"])
    first = [0, *ends[:-1]]
    if not ends:
        return
    columns = per_epoch_columns(table)
    floats = [c for c in columns if table.schema[c] == pl.Float64]
    table = table.with_columns(pl.when(pl.col(floats).abs() <= MAX_NUMBER).then(pl.col(floats)))
    numbers = table.select(pl.col(columns).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    epochs = table["epoch"].to_numpy()
    attempts = table["attempt"].fill_null(DEFAULTS["attempt"]).to_numpy()
    lines = _event_lines(table, now)
    rows = table[first].to_dicts()
    for row, start, end in zip(rows, first, ends, strict=True):
        setting = [row[c] for c in (*SETTING, "name", "seed")]
        run = row["run"]
        yield ImportedRun(
            row=row,
            chunk=table,
            place=slice(start, end),
            name=run if run in named and is_run_name(run) else None,
            epochs=epochs[start:end],
            columns=tuple(columns),
            numbers=numbers[start:end],
            digest=_digest(setting, epochs[start:end], columns, numbers[start:end]),
            events=_with_milestones(lines[start:end], epochs[start:end], attempts[start:end], now),
            now=now,
        )


def _digest(
    setting: list[object], epochs: IntArray, columns: list[str], numbers: FloatArray
) -> str:
    """A digest of a history's setting, epochs and numbers, without its empty columns."""
    present = np.flatnonzero(~np.isnan(numbers).all(axis=0))
    head = [*setting[:-1], setting[-1] or 0, [columns[i] for i in present]]
    digest = hashlib.sha256(msgspec.json.encode(head))
    digest.update(np.ascontiguousarray(epochs, dtype="<i8").data)
    digest.update(np.ascontiguousarray(numbers[:, present], dtype="<f8").data)
    return digest.hexdigest()[:24]


def _event_lines(table: pl.DataFrame, now: float) -> list[bytes]:
    """One `epoch` event a row, as `encode_event` writes it."""
    present = [c for c in PER_EPOCH if table[c].null_count() < len(table)]
    undefined = [
        pl.when(pl.col(c).is_null()).then(pl.lit(c))
        for c in present
        if c in _FLOATS and table[c].null_count()
    ]
    extra = [c for c in extra_columns(table) if table[c].null_count() < len(table)]
    attempt = pl.col("attempt").fill_null(DEFAULTS["attempt"])
    begins = (attempt != attempt.shift()).fill_null(value=True).over("run")
    events = table.select(
        pl.lit(FORMAT_VERSION).alias("v"),
        (pl.int_range(pl.len()) + begins.cum_sum()).over("run").alias("seq"),
        attempt.alias("attempt"),
        pl.lit(now).alias("time"),
        pl.lit("epoch").alias("event"),
        "epoch",
        *present,
        *([pl.struct(extra).alias("extra")] if extra else []),
        *([pl.concat_list(undefined).list.drop_nulls().alias("nonfinite")] if undefined else []),
    )
    buffer = io.BytesIO()
    events.write_ndjson(buffer)
    return buffer.getvalue().splitlines(keepends=True)


def _with_milestones(lines: list[bytes], epochs: IntArray, attempts: IntArray, now: float) -> bytes:
    """A run's events: its epochs, with the start of each attempt before them and the end after."""
    parts: list[bytes] = []
    begins = [0, *(np.flatnonzero(np.diff(attempts)) + 1).tolist()]
    for place, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        fields = {"from_epoch": int(epochs[place]), "device": "imported"}
        parts.append(encode_event(len(parts), int(attempts[place]), "start", fields, now))
        parts += lines[place:end]
    parts.append(encode_event(len(parts), int(attempts[-1]), "end", {"status": "done"}, now))
    return b"".join(parts)
