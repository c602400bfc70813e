"""Histories of a table as runs: the `run.json` and `events.jsonl` of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.weights import Weights
from postertui.history.schema import DEFAULTS, SETTING, extra_columns
from postertui.importer.events import PER_EPOCH, EpochLines, epoch_events, with_milestones
from postertui.published.naming import variant_from_2017
from postertui.runs.bounds import MAX_NUMBER
from postertui.runs.run_names import is_run_name
from postertui.runs.spec import IMPORTED_DATA, RunSpec
from postertui.study import Variant
from postertui.system.version import __version__

#: Rows that are turned into events at a time: some two kilobytes each, three times in memory.
_CHUNK = 10_000

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

    row: dict[str, Any]
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
        variant, own_label = _variant(
            str(row["variant"]),
            label,
            int(row["FC1"]),
            int(row["FC2"]),
            epochs=int(self.epochs[-1]),
            name=str(row["name"]),
            batch_size=row["batch_size"],
        )
        return RunSpec(
            variant=variant,
            genre=str(row["genre"]),
            seed=int(row["seed"] or DEFAULTS["seed"]),
            study=str(row["study"] or DEFAULTS["study"]),
            data="",
            data_fingerprint=f"{IMPORTED_DATA}{self.digest}",
            weights=Weights("imagenet", "imported"),
            train_base_rate=row["train_base_rate"],
            test_base_rate=row["test_base_rate"],
            val_base_rate=row["val_base_rate"],
            mode="published" if row["test_fscore_soft"] is None else "sound",
            created=self.now,
            versions={"postertui": __version__},
            label=label if label != own_label else None,
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


@dataclass(frozen=True)
class PreparedRows:
    """Rows of whole runs, one after the other, with all that is worked out for many runs at once.

    Row `first[i]` is the i-th run's first, `ends[i]` is behind its last; `run_rows[i]` says what
    the run is and `is_present[i]` which of `columns` have a number in it. `numbers` (rows,
    `columns`) are NaN where undefined or missing; `lines` are the rows' events.
    """

    table: pl.DataFrame
    first: list[int]
    ends: list[int]
    run_rows: list[dict[str, Any]]
    columns: tuple[str, ...]
    numbers: FloatArray
    is_present: NDArray[np.bool_]
    lines: EpochLines


def prepare(table: pl.DataFrame, now: float) -> PreparedRows:
    """What `histories_of` needs of a table of at least one run; mostly outside the interpreter."""
    ends = _ends(table["run"])
    first = [0, *ends[:-1]]
    columns = per_epoch_columns(table)
    floats = [c for c in columns if table.schema[c] == pl.Float64]
    table = table.with_columns(pl.when(pl.col(floats).abs() <= MAX_NUMBER).then(pl.col(floats)))
    numbers = table.select(pl.col(columns).cast(pl.Float64).fill_null(float("nan"))).to_numpy(
        order="c"
    )
    return PreparedRows(
        table=table,
        first=first,
        ends=ends,
        run_rows=table.select(_RUN_COLUMNS)[first].to_dicts(),
        columns=tuple(columns),
        numbers=numbers,
        is_present=np.logical_or.reduceat(~np.isnan(numbers), first, axis=0),
        lines=EpochLines(epoch_events(table, now)),
    )


def histories_of(
    prepared: PreparedRows, named: frozenset[str], now: float
) -> Iterator[ImportedRun]:
    """The histories of prepared rows; runs that are `named` keep their names.

    Parameters
    ----------
    now
        When they are imported, in seconds since 1970.
    """
    table, columns, lines = prepared.table, prepared.columns, prepared.lines
    epochs = table["epoch"].to_numpy()
    attempts = table["attempt"].fill_null(DEFAULTS["attempt"]).to_numpy()
    for row, start, end, is_present in zip(
        prepared.run_rows, prepared.first, prepared.ends, prepared.is_present, strict=True
    ):
        setting = [row[c] for c in (*SETTING, "name", "seed")]
        run = str(row["run"])
        numbers = prepared.numbers[start:end]
        yield ImportedRun(
            row=row,
            chunk=table,
            place=slice(start, end),
            name=run if run in named and is_run_name(run) else None,
            epochs=epochs[start:end],
            columns=columns,
            numbers=numbers,
            digest=_digest(setting, epochs[start:end], columns, numbers, is_present),
            events=with_milestones(lines, start, epochs[start:end], attempts[start:end], now),
            now=now,
        )


def _digest(
    setting: list[object],
    epochs: IntArray,
    columns: Sequence[str],
    numbers: FloatArray,
    is_present: NDArray[np.bool_],
) -> str:
    """A digest of a history's setting, epochs and numbers, without its empty columns."""
    if not is_present.all():
        places = np.flatnonzero(is_present).tolist()
        columns, numbers = [columns[i] for i in places], numbers[:, places]
    digest = hashlib.sha256(msgspec.json.encode([*setting[:-1], setting[-1] or 0, columns]))
    digest.update(np.ascontiguousarray(epochs, dtype="<i8").data)
    digest.update(np.ascontiguousarray(numbers, dtype="<f8").data)
    return digest.hexdigest()[:24]


@lru_cache(maxsize=1000)
def _variant(
    family: str, label: str, fc1: int, fc2: int, epochs: int, name: str, batch_size: int | None
) -> tuple[Variant, str]:
    """The variant and its own `Regularizer`; tables have many runs of few settings."""
    variant = variant_from_2017(
        family, label, fc1, fc2, epochs=epochs, name=name, batch_size=batch_size
    )
    return variant, variant.regularizer_label
