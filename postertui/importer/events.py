"""The events of imported runs: those of many runs' epochs are made in one call."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.history.schema import DEFAULTS, SCHEMA, extra_columns
from postertui.runs.bounds import FORMAT_VERSION
from postertui.runs.events import encode_event
from postertui.runs.store import METRICS

#: The columns that differ from epoch to epoch, in the order of their events.
PER_EPOCH = [name for name in METRICS if name in SCHEMA]

_FLOATS = [name for name in PER_EPOCH if SCHEMA[name] is pl.Float64]

IntArray = NDArray[np.int64]


def epoch_events(table: pl.DataFrame, now: float) -> bytes:
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


class EpochLines:
    """The lines of a text without a copy of each."""

    def __init__(self, text: bytes) -> None:
        self._text = memoryview(text)
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
        self._begins = [0, *ends.tolist()]

    def __getitem__(self, place: slice) -> memoryview:
        return self._text[self._begins[place.start] : self._begins[place.stop]]


def with_milestones(
    lines: EpochLines, first: int, epochs: IntArray, attempts: IntArray, now: float
) -> bytes:
    """A run's events: its epochs, with the start of each attempt before them and the end after.

    Parameters
    ----------
    first
        Which of `lines` is the run's first.
    epochs, attempts : (n,)
        Of each of the run's lines.
    now
        When it is imported, in seconds since 1970.
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
