"""Reading a runs folder: every run's state and history, kept up to date as files grow.

A `Store` only reads. `refresh` looks at each run's events file and reads what was appended since
the last call, so that asking often is cheap.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postertui.errors import UserError
from postertui.events import DamagedEventsError, Event, parse_events
from postertui.notes import NAME as NOTES
from postertui.notes import Note, read_notes
from postertui.runs import RunSpec, State, derive_state, is_locked, read_spec

if TYPE_CHECKING:
    import polars as pl


@dataclass
class Run:
    """One run as its files tell it.

    `epochs` holds one event per epoch, in order, the newest attempt's where several trained it.
    `damage` says what is wrong with the run's files; such a run is shown but not trained.
    """

    name: str
    spec: RunSpec | None
    epochs: list[Event] = field(default_factory=list)
    start: Event | None = None
    end: Event | None = None
    features: Event | None = None
    attempt: int = 0
    locked: bool = False
    cancelling: bool = False
    damage: str | None = None
    newest_milestone: str | None = None
    changed: float = 0.0
    note: Note = field(default_factory=Note)

    @property
    def state(self) -> State:
        if self.damage is not None:
            return "failed"
        status = self.end.get("status") if self.end else None
        return derive_state(self.newest_milestone, status, self.locked)

    @property
    def reason(self) -> str | None:
        """Why the run ended as it did, for people."""
        return self.damage or (self.end or {}).get("reason")

    @property
    def epoch(self) -> int:
        """The newest finished epoch; 0 before the first."""
        return int(self.epochs[-1]["epoch"]) if self.epochs else 0

    def newest(self, metric: str) -> Any:
        """`metric` at the newest finished epoch; None where there is none or it is undefined."""
        return self.epochs[-1].get(metric) if self.epochs else None

    def series(self, metric: str) -> tuple[list[int], list[float]]:
        """Epochs and `metric` at each, NaN where it is undefined."""
        nan = float("nan")
        values = [e.get(metric) for e in self.epochs]
        return [e["epoch"] for e in self.epochs], [nan if v is None else float(v) for v in values]

    @property
    def seconds_per_epoch(self) -> float | None:
        """The median of the epochs' seconds."""
        seconds = sorted(s for e in self.epochs if (s := e.get("seconds")) is not None)
        return seconds[len(seconds) // 2] if seconds else None

    def record(self) -> dict[str, Any]:
        """The run as a flat record, for filters, tables and `--json`: settings, state, newest."""
        newest = self.epochs[-1] if self.epochs else {}
        record: dict[str, Any] = {
            k: v for k, v in newest.items() if k not in ("v", "seq", "time", "event", "nonfinite")
        }
        record.update(run=self.name, state=self.state, attempt=self.attempt, reason=self.reason)
        record["epoch"] = self.epoch
        record["dead"] = bool(newest.get("dead"))
        record["device"] = (self.start or {}).get("device")
        record["tag"] = self.note.tags
        record["host"] = (self.start or {}).get("host")
        if self.spec is not None:
            v = self.spec.variant
            record.update(
                name=v.name,
                variant=v.name,
                family=v.family,
                regularizer=v.regularizer_label,
                fc1=v.fc1,
                fc2=v.fc2,
                batch_size=v.batch_size,
                epochs=v.epochs,
                genre=self.spec.genre,
                seed=self.spec.seed,
                study=self.spec.study,
                mode=self.spec.mode,
                train_base_rate=self.spec.train_base_rate,
                test_base_rate=self.spec.test_base_rate,
            )
        return record


class Store:
    """All runs below `folder`, by name.

    `runs` is replaced run by run as `refresh` finds changes; the dictionary itself stays.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[str, Run] = {}
        self._read: dict[str, tuple[int, int, int]] = {}  # inode, bytes read, lines read
        self._notes: dict[str, Note] = {}
        self._notes_read = 0  # the modification time of the notes when they were read

    def refresh(self) -> set[str]:
        """Read what is new; the names of the runs that changed, came or went."""
        try:
            names = {e.name for e in os.scandir(self.folder) if e.name[0] != "." and e.is_dir()}
        except FileNotFoundError:
            names = set()
        gone = self.runs.keys() - names
        for name in gone:
            del self.runs[name]
            self._read.pop(name, None)
        changed = {name for name in names if self._refresh_run(name)}
        return gone | changed | self._refresh_notes(changed)

    def table(self, keep: Callable[[Run], bool] | None = None) -> pl.DataFrame:
        """The history table of all runs, or of those that `keep` accepts."""
        from postertui.history import history_table

        return history_table(r for r in self.runs.values() if keep is None or keep(r))

    def _refresh_notes(self, changed: set[str]) -> set[str]:
        """Give runs their notes; the names of those whose note is another now."""
        try:
            modified = (self.folder / NOTES).stat().st_mtime_ns
        except OSError:
            modified = 0
        candidates = changed
        if modified != self._notes_read:
            self._notes_read = modified
            try:
                notes = read_notes(self.folder)
            except UserError:
                notes = self._notes  # a note is never worth losing sight of the runs
            candidates = changed | notes.keys() | self._notes.keys()
            self._notes = notes
        renoted = set()
        for name in candidates & self.runs.keys():
            note = self._notes.get(name, Note())
            if note != self.runs[name].note:
                self.runs[name].note = note
                renoted.add(name)
        return renoted

    def _refresh_run(self, name: str) -> bool:
        folder = self.folder / name
        run = self.runs.get(name)
        changed = False
        if run is None:
            try:
                run = Run(name, read_spec(folder))
            except UserError as error:
                run = Run(name, None, damage=str(error))
            self.runs[name] = run
            changed = True
        changed |= self._read_events(folder, run)
        is_open = run.newest_milestone in (None, "start", "requeue")
        locked = is_open and is_locked(folder)
        cancelling = is_open and (folder / "cancel").exists()
        changed |= (locked, cancelling) != (run.locked, run.cancelling)
        run.locked, run.cancelling = locked, cancelling
        return changed

    def _read_events(self, folder: Path, run: Run) -> bool:
        path = folder / "events.jsonl"
        inode, offset, lines = self._read.get(run.name, (0, 0, 0))
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        if (stat.st_ino, stat.st_size) == (inode, offset):
            return False
        if stat.st_ino != inode or stat.st_size < offset:
            offset = lines = 0
            run.epochs.clear()
        try:
            with path.open("rb") as file:
                file.seek(offset)
                events, size = parse_events(file.read(), lines + 1)
        except DamagedEventsError as error:
            run.damage = f"{path}:{error.line}: {error.reason}"
            self._read[run.name] = (stat.st_ino, stat.st_size, lines)
            return True
        except OSError as error:
            run.damage = f"{path}: {error.strerror}"
            return True
        self._read[run.name] = (stat.st_ino, offset + size, lines + len(events))
        apply_events(run, events)
        return bool(events)


def apply_events(run: Run, events: Iterable[Event]) -> None:
    """Bring `run` up to date with `events`, which follow what it has seen so far.

    An attempt that starts over at epoch k replaces what earlier attempts had from k on.
    """
    for event in events:
        kind = event["event"]
        run.attempt = event["attempt"]
        run.changed = event.get("time", 0.0)
        match kind:
            case "epoch":
                epoch = event["epoch"]
                while run.epochs and run.epochs[-1]["epoch"] >= epoch:
                    run.epochs.pop()
                run.epochs.append(event)
            case "start":
                run.start, run.end, run.newest_milestone = event, None, kind
                from_epoch = event.get("from_epoch", 1)
                while run.epochs and run.epochs[-1]["epoch"] >= from_epoch:
                    run.epochs.pop()
            case "requeue":
                run.end, run.newest_milestone = None, kind
            case "end":
                run.end, run.newest_milestone = event, kind
            case "features":
                run.features = event
