"""Which histories are in the runs folder already, whatever they were read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from postertui.history.from_runs import history_table
from postertui.history.schema import SCHEMA
from postertui.importer.events import PER_EPOCH
from postertui.importer.histories import ImportedRun, histories_of, prepare
from postertui.runs.spec import IMPORTED_DATA, RunSpec, read_spec
from postertui.runs.store import Run, Store
from postertui.system.errors import UserError

#: Numbers whose relative difference is below this are equal: R writes 15 digits.
EQUAL_RTOL = 1e-13


#: What makes a setting, apart from what its `Regularizer` is called.
RunSetting = tuple[object, ...]


@dataclass(frozen=True)
class ExistingRun:
    """A run of the folder. The history fills its columns `missing`; `events` are both together."""

    name: str
    missing: tuple[str, ...] = ()
    events: bytes = b""


class ExistingRuns:
    """The runs of a folder as they were when the first history was looked for.

    Each is found once: of equal histories in one source, the second is another run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        self._runs: _Runs | None = None
        self._matched: set[str] = set()

    def has(self, run: str) -> bool:
        return run in self._names

    def find(self, run: str, spec: RunSpec, history: ImportedRun) -> ExistingRun | None:
        """The run that has this history: the one called `run`, else any of the same setting.

        None where there is none, or where the run of that name has another history.
        """
        if not self.has(run):
            runs = self._load().by_setting.get(_setting(spec), [])
        elif self._is_read_from(run, spec):
            self._matched.add(run)
            return ExistingRun(run)
        else:
            same_name = self._load().by_name.get(run)
            runs = [] if same_name is None else [same_name]
        for candidate in runs:
            missing = (
                None if candidate.name in self._matched else missing_columns(candidate, history)
            )
            if missing is not None:
                self._matched.add(candidate.name)
                if not missing or not _is_imported(candidate):
                    return ExistingRun(candidate.name)  # only its job writes a trained run
                events = complete_events(candidate, history)
                return ExistingRun(candidate.name, tuple(missing), events)
        return None

    def _is_read_from(self, run: str, spec: RunSpec) -> bool:
        """Whether the run was read from this very history."""
        try:
            return read_spec(self._folder / run).data_fingerprint == spec.data_fingerprint
        except UserError:
            return False

    def _load(self) -> _Runs:
        if self._runs is None:
            store = Store(self._folder)
            store.refresh()
            self._runs = _Runs(store.runs)
            for run in store.runs.values():
                if run.spec is not None and run.state == "done":
                    self._runs.by_setting.setdefault(_setting(run.spec), []).append(run)
        return self._runs


@dataclass(frozen=True)
class _Runs:
    by_name: Mapping[str, Run]
    by_setting: dict[RunSetting, list[Run]] = field(default_factory=dict)


def missing_columns(run: Run, history: ImportedRun) -> list[str] | None:
    """The columns that `history` has and `run` lacks; None where they are different histories.

    They are one where no number contradicts another and at least one metric is in both.
    """
    if not np.array_equal(run.epochs.array("epoch"), history.epochs):
        return None
    is_shared = False
    missing = []
    view = run.epochs
    for place, name in enumerate(history.columns):
        has_column = name in PER_EPOCH or name in view.extra_names
        old = view.array(name) if has_column else np.full(len(view), np.nan)
        new = history.numbers[:, place]
        in_old, in_new = ~np.isnan(old), ~np.isnan(new)
        both = in_old & in_new
        if not np.allclose(old[both], new[both], rtol=EQUAL_RTOL, atol=0):
            return None
        if _is_curve(name) and in_old.any() and in_new.any():
            if (in_old != in_new).any():
                return None
            is_shared = True
        if (in_new & ~in_old).any():
            missing.append(name)
    return missing if is_shared else None


def _is_curve(name: str) -> bool:
    """Whether the metric is one of every epoch: undefined in one source, it is so in all."""
    return name.startswith(("train_", "test_", "val_")) and SCHEMA.get(name) in (None, pl.Float64)


def complete_events(run: Run, history: ImportedRun) -> bytes:
    """The run's events with the columns of `history` filled in."""
    new = history.rows.select(pl.col(history.columns).name.prefix("_new_"))
    rows = pl.concat([history_table([run]), new], how="horizontal")
    rows = rows.with_columns(
        pl.coalesce(*(c for c in (name, f"_new_{name}") if c in rows.columns)).alias(name)
        for name in history.columns
    ).drop(new.columns)
    [completed] = histories_of(prepare(rows, run.changed), frozenset(), run.changed)
    return completed.events


def _setting(spec: RunSpec) -> RunSetting:
    v = spec.variant
    return (
        spec.genre, spec.seed, v.name, v.family, v.fc1, v.fc2, v.regularizer, v.strength,
    )  # fmt: skip


def _is_imported(run: Run) -> bool:
    """Whether the run was imported, so that no job writes it."""
    return run.spec is not None and run.spec.data_fingerprint.startswith(IMPORTED_DATA)
