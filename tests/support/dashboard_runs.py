"""Runs folders made for tests: real run.json and events files, and locks where a run goes on."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import msgspec

from postertui.dashboard.state.run_view import RunView, view_of
from postertui.published.facts import BASE_RATES
from postertui.runs.events import encode_event
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec, write_spec
from postertui.runs.store import Store
from postertui.study import Variant, load_study
from tests.support.specs import made_spec


class MadeRuns:
    """A runs folder. Locks of running runs are held until `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variants = load_study("milestone4").variants
        self._seq: dict[str, int] = {}
        self._locks: dict[str, RunLock] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        genre: str = "Comedy",
        variant: str | Variant = "base",
        *,
        seed: int = 0,
        epochs: int = 0,
        state: str = "queued",
        started: float = 1_700_000_000.0,
        gaps: tuple[int, ...] = (),
        dead: bool = False,
        reason: str | None = None,
        log: str | None = None,
        level: float | None = None,
        **changes: Any,
    ) -> str:
        """Make a run with so many epochs; its name."""
        chosen = self.variants[variant] if isinstance(variant, str) else variant
        if changes:
            chosen = msgspec.structs.replace(chosen, **changes)
        rates = BASE_RATES.get(genre, (0.1, 0.11))
        spec = made_spec(
            chosen,
            genre,
            seed=seed,
            study="milestone4",
            train_base_rate=rates[0],
            test_base_rate=rates[1],
        )
        write_spec(self.folder, spec)
        name = spec.run
        if state != "queued" or epochs:
            self.event(name, "start", started, device="cpu:0", host="here", pid=1, from_epoch=1)
        for epoch in range(1, epochs + 1):
            self.epoch(name, epoch, gap=epoch in gaps, dead=dead, level=level, when=started + epoch)
        if state == "running":
            self.hold(name)
        elif state in ("done", "failed", "cancelled"):
            self.end(name, state, reason, when=started + epochs + 1)
        if log is not None:
            (self.folder / name / "log.txt").write_text(log)
        return name

    def epoch(
        self,
        name: str,
        epoch: int,
        *,
        gap: bool = False,
        dead: bool = False,
        level: float | None = None,
        when: float = 1_700_000_000.0,
    ) -> None:
        """Append an epoch whose curves rise towards a level above always-yes."""
        spec = msgspec.json.decode((self.folder / name / "run.json").read_bytes(), type=RunSpec)
        rng = random.Random(f"{name}{epoch}")
        base = spec.test_base_rate or 0.1
        top = level if level is not None else 2 * base / (1 + base) * 1.25
        rise = 1 - math.exp(-epoch / 3)
        test = max(0.0, base * 0.6 + (top - base * 0.6) * rise + rng.gauss(0, 0.012))
        train = test + 0.06 * epoch / 10 + rng.gauss(0, 0.006)
        nan = float("nan")
        fields: dict[str, Any] = {
            "epoch": epoch,
            "train_loss": nan if dead else 1 - train,
            "test_loss": nan if dead else 1 - test,
            "train_accuracy": 0.7,
            "test_accuracy": 0.68,
            "train_fscore": nan if gap or dead else train,
            "test_fscore": nan if gap or dead else test,
            "train_fscore_soft": nan if gap or dead else train,
            "test_fscore_soft": nan if gap or dead else test,
            "train_fscore_hard": train * 0.9,
            "test_fscore_hard": test * 0.9,
            "learning_rate": 1e-3,
            "seconds": 1.4,
            "dead": dead,
        }
        self.event(name, "epoch", when, **fields)

    def end(self, name: str, status: str, reason: str | None = None, when: float = 0.0) -> None:
        self.event(name, "end", when, status=status, reason=reason)
        if (lock := self._locks.pop(name, None)) is not None:
            lock.release()

    def event(self, name: str, kind: str, when: float, **fields: Any) -> None:
        seq = self._seq.get(name, 0)
        self._seq[name] = seq + 1
        with (self.folder / name / "events.jsonl").open("ab") as file:
            file.write(encode_event(seq, 1, kind, fields, when))

    def hold(self, name: str) -> None:
        """Hold the run's lock, as its job would."""
        lock = RunLock(self.folder / name)
        assert lock.acquire()
        self._locks[name] = lock

    def close(self) -> None:
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()


def views(made_runs: MadeRuns) -> list[RunView]:
    """The folder's runs as the dashboard reads them, by name."""
    store = Store(made_runs.folder, cache=False)
    store.refresh()
    return [view_of(store.runs[name]) for name in sorted(store.runs)]


def milestone(folder: Path) -> MadeRuns:
    """A study in mid-training: three genres of three variants, in every state."""
    made_runs = MadeRuns(folder)
    for genre in ("Comedy", "Horror", "Drama"):
        made_runs.add(genre, "base", epochs=10, state="done")
        made_runs.add(
            genre,
            "l2-1e-4",
            epochs=10 if genre == "Comedy" else 6,
            state="done" if genre == "Comedy" else "running",
        )
    made_runs.add("Comedy", "no-reg", epochs=7, state="running", gaps=(4,))
    made_runs.add("Horror", "no-reg", epochs=3, state="failed", reason="killed by SIGKILL")
    made_runs.add("Drama", "no-reg")
    return made_runs
