"""Which histories are in the runs folder already, whatever they were read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from postertui.history.from_runs import history_table
from postertui.history.schema import SCHEMA
from postertui.importer.histories import FINGERPRINT, PER_EPOCH, ImportedRun, histories_of
from postertui.runs.spec import RunSpec, read_spec
from postertui.runs.store import Run, Store
from postertui.system.errors import UserError

#: Two numbers this near, relatively, are one: R writes 15 digits.
SAME = 1e-13

#: The metrics of every epoch: one that is undefined for one source is so for all.
_CURVES = [
    name
    for name in PER_EPOCH
    if name.startswith(("train_", "test_")) and SCHEMA[name] is pl.Float64
]

#: What makes a setting, apart from what its `Regularizer` is called.
Setting = tuple[object, ...]


@dataclass(frozen=True)
class Known:
    """A run that is there. Of the columns `lacks` the history says more; `events` have it all."""

    name: str
    lacks: tuple[str, ...] = ()
    events: bytes = b""


class Existing:
    """The runs of a folder as they were when the first history was looked for.

    Each is found once: of equal histories in one source, the second is another run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: _Runs | None = None
        self._found: set[str] = set()

    def has(self, run: str) -> bool:
        return (self._folder / run).exists()

    def find(self, run: str, spec: RunSpec, history: ImportedRun) -> Known | None:
        """The run that has this history: the one called `run`, else any of the same setting.

        None where there is none, or where the run of that name has another history.
        """
        if not self.has(run):
            runs = self._load().by_setting.get(_setting(spec), [])
        elif self._is_read_from(run, spec):
            self._found.add(run)
            return Known(run)
        else:
            named = self._load().by_name.get(run)
            runs = [] if named is None else [named]
        for there in runs:
            lacks = None if there.name in self._found else what_lacks(there, history)
            if lacks is not None:
                self._found.add(there.name)
                if not lacks or not _is_imported(there):
                    return Known(there.name)  # what a job has written, nobody else adds to
                return Known(there.name, tuple(lacks), complete_events(there, history))
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
    by_name: dict[str, Run]
    by_setting: dict[Setting, list[Run]] = field(default_factory=dict)


def what_lacks(run: Run, history: ImportedRun) -> list[str] | None:
    """The columns of which `history` says more than `run`; None where they are not the same.

    They are where no number of one contradicts the other, and a metric has numbers in both.
    """
    if not np.array_equal(run.epochs.array("epoch"), history.epochs):
        return None
    is_shared = False
    lacks = []
    for place, name in enumerate(PER_EPOCH):
        there, told = run.epochs.array(name), history.numbers[:, place]
        known, says = ~np.isnan(there), ~np.isnan(told)
        both = known & says
        if not np.allclose(there[both], told[both], rtol=SAME, atol=0):
            return None
        if name in _CURVES and known.any() and says.any():
            if (known != says).any():
                return None
            is_shared = True
        if (says & ~known).any():
            lacks.append(name)
    return lacks if is_shared else None


def complete_events(run: Run, history: ImportedRun) -> bytes:
    """The run's events with what `history` says more."""
    told = history.rows.select(pl.col(PER_EPOCH).name.suffix("_told"))
    rows = pl.concat([history_table([run]), told], how="horizontal").with_columns(
        pl.coalesce(name, f"{name}_told") for name in PER_EPOCH
    )
    [whole] = histories_of(rows, frozenset(), run.changed)
    return whole.events


def _setting(spec: RunSpec) -> Setting:
    v = spec.variant
    return (
        spec.genre, spec.seed, v.name, v.family, v.fc1, v.fc2, v.regularizer, v.strength,
    )  # fmt: skip


def _is_imported(run: Run) -> bool:
    """Whether no job ever wrote the run's events, and none will."""
    return run.spec is not None and run.spec.data_fingerprint.startswith(FINGERPRINT)
