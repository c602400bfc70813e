"""A run as the dashboard shows it: a snapshot that the reading thread no longer touches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from postertui.dashboard.state.metrics import LOWER_IS_BETTER, fields_of
from postertui.runs.events import Event
from postertui.runs.notes import Note
from postertui.runs.spec import RunSpec
from postertui.runs.store import SETTINGS, Run
from postertui.runs.store.columns import Epochs
from postertui.runs.store.run import Milestones
from postertui.runs.store.stored_lifecycle import StoredMilestones
from postertui.supervisor.run_progress import RunProgress, job_of, progress_of_spec
from postertui.system.text import to_single_line

Side = str  # "train" or "test"

#: What a run's record says of how it stands, beside its settings and its newest epoch.
STANDING: dict[str, Callable[[RunView], Any]] = {
    "run": lambda view: view.name,
    "state": lambda view: view.state,
    "standing": lambda view: view.standing,
    "attempt": lambda view: view.attempt,
    "reason": lambda view: view.damage or (view.milestones.end or {}).get("reason"),
    "epoch": lambda view: view.epoch,
    "dead": lambda view: view.dead,
    "device": lambda view: (view.milestones.start or {}).get("device"),
    "host": lambda view: (view.milestones.start or {}).get("host"),
    "tag": lambda view: view.recorded_note.tags,
    "predict_seconds": lambda view: (view.milestones.end or {}).get("predict_seconds"),
}


_ABSENT = object()


class Record(Mapping[str, Any]):
    """The flat record of the run of `view`, as `Run.record` gives it, looked up when asked for."""

    __slots__ = ("_view",)

    def __init__(self, view: RunView) -> None:
        self._view = view

    def __getitem__(self, key: str) -> Any:
        value = self.get(key, _ABSENT)
        if value is _ABSENT:
            raise KeyError(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        # The base class's `get` raises and catches an error for a field that the run lacks.
        view = self._view
        if view.spec is not None and (setting := SETTINGS.get(key)) is not None:
            return setting(view.spec)
        if (look_up := STANDING.get(key)) is not None:
            return look_up(view)
        value = None if key == "time" else view.history.newest(key)
        return default if value is None else value

    @property
    def search_text(self) -> str | None:
        """The texts in which a filter looks for a word; None where the run has no spec.

        One text takes a third of the time of nine, and with each word all runs are looked at.
        """
        view = self._view
        if (spec := view.spec) is None:
            return None
        texts = (
            spec.genre,
            spec.variant.name,
            spec.variant.family,
            spec.label or spec.variant.regularizer_label,
            view.state,
            view.standing,
            spec.study,
            view.name,
            " ".join(view.recorded_note.tags),
        )
        return "\0".join(texts).lower()

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self._view.history.newest_event())
        names.pop("time", None)
        yield from {**names, **STANDING, **(SETTINGS if self._view.spec is not None else {})}

    def __len__(self) -> int:
        return sum(1 for _ in self)


class RunView(msgspec.Struct, frozen=True, eq=False, kw_only=True, gc=False):
    """One run at one moment.

    `name` is the folder's name and `record` what filters see, both as they are on disk, as are
    `damage`, `milestones` and `recorded_note`; every other string has been cleaned for the screen.
    `standing` is the state in the word that is shown (see `postertui.runs.state_words`).
    """

    name: str
    history: Epochs
    milestones: Milestones | StoredMilestones
    recorded_note: Note
    damage: str | None
    state: str
    standing: str
    genre: str
    variant: str
    family: str
    regularizer: str
    study: str
    seed: int
    epoch: int
    epochs: int
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
    extracted: float | None = None
    _device: str | None = None
    _stage: RunProgress | None = None
    _seconds: float | msgspec.UnsetType | None = msgspec.UNSET

    def __repr__(self) -> str:
        return f"RunView({self.name}, {self.state}, {self.epoch}/{self.epochs})"

    @property
    def record(self) -> Mapping[str, Any]:
        """The run's flat record, for filters."""
        return Record(self)

    @property
    def attempt(self) -> int:
        """The number of the newest attempt, 0 before the first."""
        return self.milestones.attempt

    @property
    def device(self) -> str:
        """What the newest attempt trained on; empty where that is unknown."""
        if self._device is None:
            device = to_single_line((self.milestones.start or {}).get("device") or "")
            msgspec.structs.force_setattr(self, "_device", device)
            return device
        return self._device

    @property
    def reason(self) -> str:
        """Why the run ended as it did, as one line; empty where nothing says."""
        return to_single_line(self.damage or (self.milestones.end or {}).get("reason") or "")

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
            start = self.milestones.start or {}
            stage = progress_of_spec(
                self.spec,
                is_running=self.state == "running",
                is_waiting=self.state in ("queued", "interrupted"),
                epochs=self.epoch,
                history=self.history,
                job=job_of(start),
                started=start.get("time"),
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

    def best(self, metric: str = "f") -> float | None:
        """The best test value over the epochs."""
        return self._best(metric)[0]

    def best_epoch(self) -> int | None:
        """The epoch of the best test F, the first where there are several."""
        return self._best("f")[1]

    def _best(self, metric: str) -> tuple[float | None, int | None]:
        column = self.column("test", metric)
        if column is None:
            return None, None
        values = self.history.array(column)
        index = int(np.nanargmin(values) if metric in LOWER_IS_BETTER else np.nanargmax(values))
        return float(values[index]), int(self.history.array("epoch")[index])


def view_of(run: Run) -> RunView:
    """A snapshot of `run`, its strings cleaned."""
    # Before `epochs`, from which on a stored run takes longer to say these.
    state, epoch, dead = run.state, run.epoch, bool(run.newest("dead"))
    spec, note, features = run.spec, run.note, run.features
    variant = spec.variant if spec is not None else None
    return RunView(
        name=run.name,
        history=run.epochs,
        milestones=run.milestones,
        recorded_note=note,
        damage=run.damage,
        state=state,
        standing=run.standing,
        genre=to_single_line(spec.genre if spec else "?"),
        variant=to_single_line(variant.name if variant else run.name),
        family=to_single_line(variant.family if variant else "?"),
        regularizer=to_single_line(
            (spec.label or variant.regularizer_label) if spec and variant else "?"
        ),
        study=to_single_line(spec.study if spec else "?"),
        seed=spec.seed if spec else 0,
        epoch=epoch,
        epochs=variant.epochs if variant else 0,
        dead=dead,
        cancelling=run.cancelling,
        train_base_rate=spec.train_base_rate if spec else None,
        test_base_rate=spec.test_base_rate if spec else None,
        fc=_fc(variant.fc1, variant.fc2) if variant else "?",
        changed=run.changed,
        progress=_features_progress(features if not epoch and state == "running" else None),
        tags=tuple(to_single_line(tag, 40) for tag in note.tags) if note.tags else (),
        note=to_single_line(note.text, 500) if note.text else "",
        pinned=note.pinned,
        spec=spec,
        extracted=features.get("time") if features is not None else None,
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
