"""A run as the dashboard shows it: a snapshot that the reading thread no longer touches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from postertui.dashboard.state.metrics import LOWER_IS_BETTER, fields_of
from postertui.runs.events import Event
from postertui.runs.spec import RunSpec
from postertui.runs.store import SETTINGS, Epochs, Run
from postertui.supervisor.run_progress import RunProgress, job_of, progress_of_spec
from postertui.system.text import to_single_line

Side = str  # "train" or "test"


class Record(Mapping[str, Any]):
    """A run's flat record, as `Run.record` gives it, looked up when it is asked for."""

    __slots__ = ("_epochs", "_spec", "_standing")

    def __init__(self, standing: dict[str, Any], spec: RunSpec | None, epochs: Epochs) -> None:
        self._standing, self._spec, self._epochs = standing, spec, epochs

    def __getitem__(self, key: str) -> Any:
        if self._spec is not None and (setting := SETTINGS.get(key)) is not None:
            return setting(self._spec)
        if key in self._standing:
            return self._standing[key]
        value = None if key == "time" else self._epochs.newest(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self._epochs.newest_event())
        names.pop("time", None)
        yield from {**names, **self._standing, **(SETTINGS if self._spec is not None else {})}

    def __len__(self) -> int:
        return sum(1 for _ in self)


class RunView(msgspec.Struct, frozen=True, eq=False, kw_only=True, gc=False):
    """One run at one moment.

    `name` is the folder's name and `record` what filters see, both as they are on disk; every
    other string has been cleaned for the screen. `standing` is the state in the word that is shown
    (see `postertui.runs.state_words`).
    """

    name: str
    record: Mapping[str, Any]
    history: Epochs
    state: str
    standing: str
    genre: str
    variant: str
    family: str
    regularizer: str
    study: str
    device: str
    reason: str
    seed: int
    epoch: int
    epochs: int
    attempt: int
    dead: bool
    cancelling: bool
    train_base_rate: float | None
    test_base_rate: float | None
    fc: str
    changed: float = 0.0
    progress: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False
    spec: RunSpec | None = None
    started: float | None = None
    job: str = ""
    extracted: float | None = None
    _stage: RunProgress | None = None
    _seconds: float | msgspec.UnsetType | None = msgspec.UNSET

    def __repr__(self) -> str:
        return f"RunView({self.name}, {self.state}, {self.epoch}/{self.epochs})"

    @property
    def unit(self) -> str:
        """Equal for runs that are trained together; empty for a run that is trained by itself."""
        return self.spec.unit if self.spec is not None and self.spec.group else ""

    @property
    def is_live(self) -> bool:
        """Whether the run trains or waits for its turn."""
        return self.state in ("running", "queued")

    @property
    def seconds(self) -> float | None:
        """The median of the epochs' seconds."""
        if self._seconds is msgspec.UNSET:
            median = self.history.median_seconds()
            msgspec.structs.force_setattr(self, "_seconds", median)
            return median
        return self._seconds

    @property
    def stage(self) -> RunProgress:
        """How far the run is, as estimates of what remains look at it."""
        if self._stage is None:
            stage = progress_of_spec(
                self.spec,
                is_running=self.state == "running",
                is_waiting=self.state in ("queued", "interrupted"),
                epochs=self.epoch,
                history=self.history,
                job=self.job,
                started=self.started,
                ended=self.changed if self.state == "done" else None,
                extracted=self.extracted,
            )
            msgspec.structs.force_setattr(self, "_stage", stage)
            return stage
        return self._stage

    def column(self, side: Side, metric: str) -> str | None:
        """Which column of the history holds `metric`; None where it was never defined."""
        if metric == "learning_rate":
            return metric if side == "test" and self.history.has(metric) else None
        names = (f"{side}_{key}" for key in fields_of(metric))
        return next((name for name in names if self.history.has(name)), None)

    def values(self, side: Side, metric: str) -> list[float | None]:
        """`metric` at each finished epoch; None where it is undefined."""
        column = self.column(side, metric)
        return [] if column is None else self.history.values(column)

    def newest(self, metric: str = "f", side: Side = "test") -> float | None:
        column = self.column(side, metric)
        return None if column is None else self.history.newest(column)

    def at(self, epoch: int, metric: str = "f", side: Side = "test") -> float | None:
        """`metric` at `epoch`; None where there is no such epoch or it is undefined."""
        column = self.column(side, metric)
        if column is None:
            return None
        epochs = self.history.array("epoch")
        index = int(np.searchsorted(epochs, epoch))
        if index == len(epochs) or epochs[index] != epoch:
            return None
        value = float(self.history.array(column)[index])
        return None if math.isnan(value) else value

    def best(self, metric: str = "f", side: Side = "test") -> float | None:
        """The best value over the epochs."""
        return self._best(metric, side)[0]

    def best_epoch(self, metric: str = "f", side: Side = "test") -> int | None:
        """The epoch of the best value, the first where there are several."""
        return self._best(metric, side)[1]

    def _best(self, metric: str, side: Side) -> tuple[float | None, int | None]:
        column = self.column(side, metric)
        if column is None:
            return None, None
        values = self.history.array(column)
        index = int(np.nanargmin(values) if metric in LOWER_IS_BETTER else np.nanargmax(values))
        return float(values[index]), int(self.history.array("epoch")[index])


def view_of(run: Run) -> RunView:
    """A snapshot of `run`, its strings cleaned."""
    spec, epochs, standing = run.spec, run.epochs, run.summary()
    state, epoch, dead = standing["state"], standing["epoch"], standing["dead"]
    features = run.features if not epoch and state == "running" else None
    return RunView(
        name=run.name,
        record=Record(standing, spec, epochs),
        history=epochs,
        state=state,
        standing=standing["standing"],
        genre=to_single_line(spec.genre if spec else "?"),
        variant=to_single_line(spec.variant.name if spec else run.name),
        family=to_single_line(spec.variant.family if spec else "?"),
        regularizer=to_single_line((spec.label or spec.variant.regularizer_label) if spec else "?"),
        study=to_single_line(spec.study if spec else "?"),
        device=to_single_line(standing["device"] or ""),
        reason=to_single_line(standing["reason"] or ""),
        seed=spec.seed if spec else 0,
        epoch=epoch,
        epochs=spec.variant.epochs if spec else 0,
        attempt=run.attempt,
        dead=dead,
        cancelling=run.cancelling,
        train_base_rate=spec.train_base_rate if spec else None,
        test_base_rate=spec.test_base_rate if spec else None,
        fc=_fc(spec.variant.fc1, spec.variant.fc2) if spec else "?",
        changed=run.changed,
        progress=_features_progress(features),
        tags=tuple(to_single_line(tag, 40) for tag in run.note.tags),
        note=to_single_line(run.note.text, 500),
        pinned=run.note.pinned,
        spec=spec,
        started=(run.start or {}).get("time"),
        job=job_of(run.start or {}),
        extracted=(run.features or {}).get("time"),
    )


@lru_cache(maxsize=1024)
def _fc(fc1: int, fc2: int) -> str:
    return f"{fc1}×{fc2}"


def _features_progress(event: Event | None) -> str:
    if event is None:
        return ""
    done, total = event.get("done"), event.get("total")
    if isinstance(done, int | float) and isinstance(total, int | float) and total:
        return f"features {100 * done / total:.0f} %"
    return "features"
