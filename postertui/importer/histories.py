"""Histories of a table as runs: the `run.json` and `events.jsonl` of each."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

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

#: The columns of a run's first row that say what the run is.
_RUN_COLUMNS = (
    *SETTING,
    "name",
    "run",
    "seed",
    "study",
    "train_base_rate",
    "test_base_rate",
    "val_base_rate",
    "batch_size",
    "test_fscore_soft",
)

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
        variant = _variant(
            str(row["variant"]),
            label,
            int(row["FC1"]),  # type: ignore[call-overload]
            int(row["FC2"]),  # type: ignore[call-overload]
            epochs=int(self.epochs[-1]),
            name=str(row["name"]),
            batch_size=row["batch_size"],
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
            val_base_rate=row["val_base_rate"],  # type: ignore[arg-type]
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
    numbers = table.select(pl.col(columns).cast(pl.Float64).fill_null(float("nan"))).to_numpy(
        order="c"
    )
    present = np.logical_or.reduceat(~np.isnan(numbers), first, axis=0)
    epochs = table["epoch"].to_numpy()
    attempts = table["attempt"].fill_null(DEFAULTS["attempt"]).to_numpy()
    lines = _EpochLines(_epoch_events(table, now))
    rows = table.select(_RUN_COLUMNS)[first].to_dicts()
    for row, start, end, is_present in zip(rows, first, ends, present, strict=True):
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
            digest=_digest(setting, epochs[start:end], columns, numbers[start:end], is_present),
            events=_with_milestones(lines, start, epochs[start:end], attempts[start:end], now),
            now=now,
        )


def _digest(
    setting: list[object],
    epochs: IntArray,
    columns: list[str],
    numbers: FloatArray,
    is_present: NDArray[np.bool_],
) -> str:
    """A digest of a history's setting, epochs and numbers, without its empty columns."""
    if not is_present.all():
        places = np.flatnonzero(is_present)
        columns, numbers = [columns[i] for i in places], numbers[:, places]
    digest = hashlib.sha256(msgspec.json.encode([*setting[:-1], setting[-1] or 0, columns]))
    digest.update(np.ascontiguousarray(epochs, dtype="<i8").data)
    digest.update(np.ascontiguousarray(numbers, dtype="<f8").data)
    return digest.hexdigest()[:24]


def _epoch_events(table: pl.DataFrame, now: float) -> bytes:
    """One `epoch` event a row and line, as `encode_event` writes it."""
    present = [c for c in PER_EPOCH if table[c].null_count() < len(table)]
    undefined = [c for c in present if c in _FLOATS and table[c].null_count()]
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
        *([_names_of_nulls(table, undefined).alias("nonfinite")] if undefined else []),
    )
    buffer = io.BytesIO()
    events.write_ndjson(buffer)
    return buffer.getvalue()


def _names_of_nulls(table: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """For each row, which of `columns` are null; ten times quicker than `concat_list`."""
    is_null = np.column_stack([table[c].is_null().to_numpy() for c in columns])
    rows, places = np.nonzero(is_null)
    names = pl.DataFrame({"row": rows, "name": pl.Series(columns).gather(places)})
    lists = names.group_by("row", maintain_order=True).agg("name")
    every_row = pl.DataFrame({"row": np.arange(len(table))})
    joined = every_row.join(lists, on="row", how="left", maintain_order="left")
    return joined["name"].fill_null([])


class _EpochLines:
    """The lines of a text without a copy of each."""

    def __init__(self, text: bytes) -> None:
        self._text = memoryview(text)
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
        self._begins = [0, *ends.tolist()]

    def __getitem__(self, place: slice) -> memoryview:
        return self._text[self._begins[place.start] : self._begins[place.stop]]


def _with_milestones(
    lines: _EpochLines, first: int, epochs: IntArray, attempts: IntArray, now: float
) -> bytes:
    """A run's events: its epochs, with the start of each attempt before them and the end after.

    Parameters
    ----------
    first
        Which of `lines` is the run's first.
    epochs, attempts
        Of each of the run's lines.
    """
    parts: list[bytes | memoryview] = []
    begins = [0]
    if len(set(attempts.tolist())) > 1:
        begins += (np.flatnonzero(np.diff(attempts)) + 1).tolist()
    for count, (place, end) in enumerate(zip(begins, [*begins[1:], len(epochs)], strict=True)):
        parts.append(_start_event(place + count, int(attempts[place]), int(epochs[place]), now))
        parts.append(lines[first + place : first + end])
    parts.append(_end_event(len(epochs) + len(begins), int(attempts[-1]), now))
    return b"".join(parts)


@lru_cache(maxsize=1000)
def _start_event(seq: int, attempt: int, from_epoch: int, now: float) -> bytes:
    fields = {"from_epoch": from_epoch, "device": "imported"}
    return encode_event(seq, attempt, "start", fields, now)


@lru_cache(maxsize=1000)
def _end_event(seq: int, attempt: int, now: float) -> bytes:
    return encode_event(seq, attempt, "end", {"status": "done"}, now)


#: Tables have many runs of few settings.
_variant = lru_cache(maxsize=1000)(variant_from_2017)
