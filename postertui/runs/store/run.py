"""One run as read from its files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from postertui.runs.epoch_line import COLUMN_INDEX, Extra
from postertui.runs.events import Event
from postertui.runs.lifecycle import RunLifecycle, State, first_replaced_epoch
from postertui.runs.notes import Note
from postertui.runs.spec import RunSpec
from postertui.runs.state_words import state_word
from postertui.runs.store.buffer import EpochBuffer
from postertui.runs.store.stored_lifecycle import StoredMilestones

if TYPE_CHECKING:
    from postertui.runs.store.columns import Epochs, Rows

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
    "val_base_rate": lambda spec: spec.val_base_rate,
}


#: Another account's, made by a newer version of postertui, or not whole.
RunProblem = Literal["unreadable", "newer", "damaged"]


class Milestones(NamedTuple):
    """A run's newest attempt, `start` and `end` at one moment."""

    attempt: int
    start: Event | None
    end: Event | None


@dataclass(slots=True)
class Run:
    """One run.

    Parameters
    ----------
    spec
        None where `run.json` cannot be read.
    features
        The newest such event.
    locked
        Whether some process works on the run.
    cancelling, held
        Whether the run was asked to end; to wait.
    damage
        What is wrong with the run's files; such a run is shown but not trained.
    is_newer
        Whether a newer version of postertui made the run; only what this version can read of it is
        here.
    is_unreadable
        Whether it is another account's, and this one may not read it, or the system failed to.
    changed
        When the newest event was written, in seconds since 1970.
    """

    name: str
    spec: RunSpec | None
    lifecycle: RunLifecycle = field(default_factory=RunLifecycle)
    features: Event | None = None
    locked: bool = False
    cancelling: bool = False
    held: bool = False
    damage: str | None = None
    is_newer: bool = False
    is_unreadable: bool = False
    changed: float = 0.0
    note: Note = field(default_factory=Note)
    buffer: EpochBuffer = field(default_factory=EpochBuffer, repr=False)

    @property
    def state(self) -> State:
        if self.damage is not None:
            return "failed"
        return self.lifecycle.state(locked=self.locked)

    @property
    def problem(self) -> RunProblem | None:
        """What keeps the run from being read in full; None for a run without fault."""
        if self.is_unreadable:
            return "unreadable"
        if self.damage is None:
            return None
        return "newer" if self.is_newer else "damaged"

    @property
    def standing(self) -> str:
        """How the run stands, in a word of `STATE_WORDS`."""
        return state_word(
            self.state, problem=self.problem, cancelling=self.cancelling, held=self.held
        )

    @property
    def is_closed(self) -> bool:
        """Whether nothing more happens to the run unless it is queued again."""
        return self.damage is not None or self.lifecycle.is_closed

    @property
    def is_started(self) -> bool:
        """Whether an attempt began whose end was not written."""
        return self.lifecycle.is_started

    @property
    def created(self) -> float:
        """When the run was asked for, in seconds since 1970; infinite where that is unknown."""
        return self.spec.created if self.spec is not None else math.inf

    @property
    def planned_epochs(self) -> int:
        """How many epochs the run was asked for; 0 where that is unknown."""
        return self.spec.variant.epochs if self.spec is not None else 0

    @property
    def is_waiting(self) -> bool:
        """Whether the run waits for a supervisor to give it to a job."""
        if self.damage is not None or self.held or self.state not in ("queued", "interrupted"):
            return False
        return self.spec is None or not self.spec.is_external

    @property
    def start(self) -> Event | None:
        """The newest `start` event."""
        return self.lifecycle.start

    @property
    def end(self) -> Event | None:
        """The newest `end` event, unless the run was started or queued again since."""
        return self.lifecycle.end

    @property
    def attempt(self) -> int:
        """The number of the newest attempt, 0 before the first."""
        return self.lifecycle.attempt

    @property
    def milestones(self) -> Milestones | StoredMilestones:
        """The newest attempt and its events as they are now.

        What is returned does not change when the run goes on.
        """
        return Milestones(self.attempt, self.start, self.end)

    @property
    def reason(self) -> str | None:
        """Why the run ended as it did, as one line to show."""
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

    @property
    def has_own_end(self) -> bool:
        """Whether it is done where others go on: stopped early, or trained in one step."""
        if self.state != "done" or self.spec is None:
            return False
        variant = self.spec.variant
        return self.epoch < variant.epochs or variant.model != "network"

    def newest(self, metric: str) -> Any:
        """`metric` at the newest finished epoch; None where there is none or it is undefined."""
        return self.buffer.newest(metric)

    def series(self, metric: str) -> tuple[list[int], list[float]]:
        """Epochs and `metric` at each, NaN where it is undefined."""
        epochs = self.buffer.view()
        numbers = epochs.array("epoch").astype(int).tolist()
        if metric not in COLUMN_INDEX and metric not in epochs.extra_names:
            return numbers, [float("nan")] * len(numbers)
        return numbers, epochs.array(metric).tolist()

    def record(self) -> dict[str, Any]:
        """The run as a flat record, for filters, tables and `--json`: settings, state, newest."""
        record = self.buffer.view().newest_event()
        record.pop("time", None)
        record |= self.summary()
        if (spec := self.spec) is not None:
            record |= {name: setting(spec) for name, setting in SETTINGS.items()}
        return record

    def summary(self) -> dict[str, Any]:
        """What `record` holds beside the settings and the newest epoch's metrics."""
        start = self.start or {}
        return {
            "run": self.name,
            "state": self.state,
            "standing": self.standing,
            "attempt": self.attempt,
            "reason": self.reason,
            "epoch": self.epoch,
            "dead": bool(self.newest("dead")),
            "device": start.get("device"),
            "host": start.get("host"),
            "tag": self.note.tags,
            "predict_seconds": (self.end or {}).get("predict_seconds"),
        }

    def apply(self, event: Event) -> None:
        """Bring the run up to date with an event that is not an epoch."""
        self.lifecycle.apply(event)
        self.changed = event.get("time") or 0.0
        if (first := first_replaced_epoch(event)) is not None:
            self.buffer.drop_from(first)
        if event["event"] == "features":
            self.features = event

    def add_epochs(self, rows: Rows, extra: Sequence[Extra] | None = None) -> None:
        """Add finished epochs, in the order in which they were written."""
        self.buffer.extend(rows, extra)
        newest = rows[-1]
        self.lifecycle.attempt = int(newest[COLUMN_INDEX["attempt"]])
        self.changed = float(newest[COLUMN_INDEX["time"]])
