"""One run as its files tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from postertui.runs.events import Event
from postertui.runs.lifecycle import State, derive_state
from postertui.runs.notes import Note
from postertui.runs.spec import RunSpec
from postertui.runs.store.columns import COLUMNS, EpochBuffer, Epochs, Rows

#: What a run's record says of its spec.
SETTINGS: dict[str, Callable[[RunSpec], Any]] = {
    "name": lambda spec: spec.variant.name,
    "variant": lambda spec: spec.variant.name,
    "family": lambda spec: spec.variant.family,
    "regularizer": lambda spec: spec.label or spec.variant.regularizer_label,
    "fc1": lambda spec: spec.variant.fc1,
    "fc2": lambda spec: spec.variant.fc2,
    "batch_size": lambda spec: spec.variant.batch_size,
    "epochs": lambda spec: spec.variant.epochs,
    "genre": lambda spec: spec.genre,
    "seed": lambda spec: spec.seed,
    "study": lambda spec: spec.study,
    "mode": lambda spec: spec.mode,
    "train_base_rate": lambda spec: spec.train_base_rate,
    "test_base_rate": lambda spec: spec.test_base_rate,
}


@dataclass(slots=True)
class Run:
    """One run.

    `damage` says what is wrong with the run's files; such a run is shown but not trained.
    `start`, `end` and `features` are the newest such events; `changed` is when the newest event
    was written; `cancelling` says that somebody wants the run to end, `paused` to wait.
    """

    name: str
    spec: RunSpec | None
    start: Event | None = None
    end: Event | None = None
    features: Event | None = None
    attempt: int = 0
    locked: bool = False
    cancelling: bool = False
    paused: bool = False
    damage: str | None = None
    newest_milestone: str | None = None
    changed: float = 0.0
    note: Note = field(default_factory=Note)
    buffer: EpochBuffer = field(default_factory=EpochBuffer, repr=False)

    @property
    def state(self) -> State:
        if self.damage is not None:
            return "failed"
        status = self.end.get("status") if self.end else None
        return derive_state(self.newest_milestone, status, self.locked)

    @property
    def is_closed(self) -> bool:
        """Nothing more happens to the run unless somebody asks for it again."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def reason(self) -> str | None:
        """Why the run ended as it did, for people."""
        return self.damage or (self.end or {}).get("reason")

    @property
    def epochs(self) -> Epochs:
        """The finished epochs as they are now, the newest attempt's where several trained one.

        What is returned does not change when the run goes on.
        """
        return self.buffer.view()

    @property
    def epoch(self) -> int:
        """The newest finished epoch; 0 before the first."""
        return self.buffer.last_epoch

    def newest(self, metric: str) -> Any:
        """`metric` at the newest finished epoch; None where there is none or it is undefined."""
        return self.buffer.view().newest(metric)

    def series(self, metric: str) -> tuple[list[int], list[float]]:
        """Epochs and `metric` at each, NaN where it is undefined."""
        epochs = self.buffer.view()
        numbers = epochs.array("epoch").astype(np.int64).tolist()
        if metric not in COLUMNS:
            return numbers, [float("nan")] * len(numbers)
        return numbers, epochs.array(metric).tolist()

    @property
    def seconds_per_epoch(self) -> float | None:
        """The median of the epochs' seconds."""
        seconds = self.buffer.view().array("seconds")
        known = np.sort(seconds[~np.isnan(seconds)])
        return float(known[len(known) // 2]) if len(known) else None

    def record(self) -> dict[str, Any]:
        """The run as a flat record, for filters, tables and `--json`: settings, state, newest."""
        record = self.buffer.view().newest_event()
        record.pop("time", None)
        record |= self.standing()
        if self.spec is not None:
            record |= {name: setting(self.spec) for name, setting in SETTINGS.items()}
        return record

    def standing(self) -> dict[str, Any]:
        """What `record` says beside the settings and the newest epoch's metrics."""
        start = self.start or {}
        return {
            "run": self.name,
            "state": self.state,
            "attempt": self.attempt,
            "reason": self.reason,
            "epoch": self.epoch,
            "dead": bool(self.newest("dead")),
            "device": start.get("device"),
            "host": start.get("host"),
            "tag": self.note.tags,
        }

    def apply(self, event: Event) -> None:
        """Bring the run up to date with an event that is no epoch."""
        kind = event["event"]
        self.attempt = event["attempt"]
        self.changed = event.get("time") or 0.0
        match kind:
            case "start":
                self.start, self.end, self.newest_milestone = event, None, kind
                # An attempt that starts over replaces what earlier ones had from there on.
                first = event.get("from_epoch")
                self.buffer.drop_from(first if isinstance(first, int) else 1)
            case "requeue":
                self.end, self.newest_milestone = None, kind
            case "end":
                self.end, self.newest_milestone = event, kind
            case "features":
                self.features = event

    def add_epochs(self, rows: Rows) -> None:
        """Add finished epochs, in the order in which they were written."""
        self.buffer.extend(rows)
        _, self.attempt, self.changed = int(rows[-1, 0]), int(rows[-1, 1]), float(rows[-1, 2])
