"""A run as the dashboard shows it: a snapshot that the reading thread no longer touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postertui.dashboard.numbers import always_yes
from postertui.dashboard.safe import clean
from postertui.events import Event
from postertui.store import Run

#: The choices for what to draw: name to (label, the event fields by preference, without cohort).
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "f": ("F-score", ("fscore_soft", "fscore")),
    "fscore": ("F as published", ("fscore",)),
    "soft": ("soft F", ("fscore_soft",)),
    "hard": ("hard F", ("fscore_hard",)),
    "loss": ("loss", ("loss",)),
    "accuracy": ("accuracy", ("accuracy",)),
    "learning_rate": ("learning rate", ("learning_rate",)),
}
F_METRICS = ("f", "fscore", "soft", "hard")

Side = str  # "train" or "test"


@dataclass(frozen=True, eq=False)
class RunView:
    """One run at one moment.

    `name` is the folder's name and `record` what filters see, both as they are on disk; every
    other string has been cleaned for the screen.
    """

    name: str
    record: Mapping[str, Any] = field(repr=False)
    history: Sequence[Event] = field(repr=False)
    state: str
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
    seconds: float | None
    train_base_rate: float | None
    test_base_rate: float | None
    fc: str
    changed: float = 0.0
    progress: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False

    @property
    def remaining(self) -> float | None:
        """Seconds until the run is done, by its own pace; None where that is unknown."""
        if self.state not in ("running", "queued") or self.seconds is None:
            return None
        return max(0, self.epochs - self.epoch) * self.seconds

    def values(self, side: Side, metric: str) -> list[float | None]:
        """`metric` at each finished epoch; None where it is undefined."""
        if metric == "learning_rate":
            return [e.get("learning_rate") for e in self.history] if side == "test" else []
        for key in METRICS[metric][1]:
            name = f"{side}_{key}"
            if any(name in e for e in self.history):
                return [e.get(name) for e in self.history]
        return []

    def newest(self, metric: str = "f", side: Side = "test") -> float | None:
        values = self.values(side, metric)
        return values[-1] if values else None

    def best(self, metric: str = "f", side: Side = "test") -> float | None:
        """The highest value over the epochs (the lowest for a loss)."""
        finite = [v for v in self.values(side, metric) if v is not None]
        if not finite:
            return None
        return min(finite) if metric == "loss" else max(finite)

    def bar(self, value: float | None) -> str:
        """Where a test F stands: `above` always-yes, `between`, `below` the base rate, or ``."""
        yes = always_yes(self.test_base_rate)
        if value is None or yes is None or self.test_base_rate is None:
            return ""
        if value > yes:
            return "above"
        return "between" if value > self.test_base_rate else "below"


def view_of(run: Run) -> RunView:
    """A snapshot of `run`, its strings cleaned."""
    record = run.record()
    spec = run.spec
    features = run.features if not run.epochs and run.state == "running" else None
    return RunView(
        name=run.name,
        record=record,
        history=tuple(run.epochs),
        state=run.state,
        genre=clean(spec.genre if spec else "?"),
        variant=clean(spec.variant.name if spec else run.name),
        family=clean(spec.variant.family if spec else "?"),
        regularizer=clean((spec.label or spec.variant.regularizer_label) if spec else "?"),
        study=clean(spec.study if spec else "?"),
        device=clean(record.get("device") or ""),
        reason=clean(run.reason or ""),
        seed=spec.seed if spec else 0,
        epoch=run.epoch,
        epochs=spec.variant.epochs if spec else 0,
        attempt=run.attempt,
        dead=bool(record.get("dead")),
        cancelling=run.cancelling,
        seconds=run.seconds_per_epoch,
        train_base_rate=spec.train_base_rate if spec else None,
        test_base_rate=spec.test_base_rate if spec else None,
        fc=f"{spec.variant.fc1}×{spec.variant.fc2}" if spec else "?",
        changed=run.changed,
        progress=_features_progress(features),
        tags=tuple(clean(tag, 40) for tag in run.note.tags),
        note=clean(run.note.text, 500),
        pinned=run.note.pinned,
    )


def _features_progress(event: Event | None) -> str:
    if event is None:
        return ""
    done, total = event.get("done"), event.get("total")
    if isinstance(done, int | float) and isinstance(total, int | float) and total:
        return f"features {100 * done / total:.0f} %"
    return "features"
