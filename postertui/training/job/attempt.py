"""One attempt at one run: from its lock to its end."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, EventWriter
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec, read_spec
from postertui.system.errors import UserError
from postertui.system.processes import Process
from postertui.system.text import strip_control_chars
from postertui.training.job import checkpoints
from postertui.training.job.log import attempt_line, end_line, epoch_line, log_to, now
from postertui.training.job.watch import Watch

#: How an attempt ended. `held`: somebody else works on the run. `closed`: it had its end already.
Outcome = Literal["done", "failed", "cancelled", "interrupted", "held", "closed", "damaged", "full"]

#: A checkpoint may cost this share of the time since the one before.
CHECKPOINT_SHARE = 0.05

#: After so many seconds without one, a checkpoint is written whatever it costs.
CHECKPOINT_SECONDS = 10.0

#: Seconds between two events about the progress of feature extraction.
NOTIFY_SECONDS = 0.5

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Epoch(Protocol):
    """A finished epoch, as a trainer yields it: one row of the history table."""

    @property
    def epoch(self) -> int: ...

    @property
    def metrics(self) -> dict[str, Any]: ...

    def save(self, path: Path) -> None:
        """Write everything that is needed to go on after this epoch."""


class Trainer(Protocol):
    """Trains runs, one after the other, and stays warm in between."""

    def epochs(
        self, spec: RunSpec, resume: Path | None, notify: Callable[[int, int, int], None]
    ) -> Iterator[Epoch]:
        """The run's epochs from the one after `resume` on (from 1 where that is None).

        `notify(cohort, done, total)` hears of feature extraction, before the first epoch. Raises
        `UserError` for a run that cannot be trained.
        """


class Result(NamedTuple):
    outcome: Outcome
    reason: str = ""


class Attempt:
    """Trains the run in `folder`. `run` returns how that ended; it never raises for the run."""

    def __init__(self, folder: Path, make_trainer: Callable[[], Trainer], watch: Watch) -> None:
        self._folder = folder
        self._make_trainer = make_trainer
        self._watch = watch
        self._writer: EventWriter
        self._say: Callable[[str], None] = lambda _line: None
        self._notified = 0.0

    def run(self) -> Result:
        lock = RunLock(self._folder)
        try:
            if not lock.acquire():
                return Result("held", "another process trains this run")
        except OSError as error:
            return _refused(error)
        try:
            with EventWriter(self._folder / layout.EVENTS) as self._writer:
                return self._work()
        except DamagedEventsError as error:
            return Result("damaged", f"{self._folder / 'events.jsonl'}:{error.line}: {error}")
        except OSError as error:
            return _refused(error)
        finally:
            self._watch.end()
            lock.release()
            self._forget_late_cancel()

    def _work(self) -> Result:
        milestones = [e for e in self._writer.events if e["event"] in ("start", "end", "requeue")]
        newest = milestones[-1] if milestones else {"event": None}
        if newest["event"] == "end" and newest.get("status") != "interrupted":
            return Result("closed")
        if (self._folder / layout.CANCEL).exists():
            return self._end("cancelled", "cancelled")
        with log_to(self._folder / layout.LOG) as self._say:
            try:
                return self._train()
            except UserError as error:
                return self._end("failed", str(error))
            except OSError as error:
                if error.errno in _NO_ROOM:
                    return Result("full", f"no room left on the disk of {self._folder}")
                return self._crash(error)
            except Exception as error:
                return self._crash(error)

    def _train(self) -> Result:
        spec = read_spec(self._folder)
        _make_durable(self._folder)
        resume, have = checkpoints.recover(self._folder, self._writer.events)
        self._writer.attempt += 1
        self._start(spec, have)
        if have >= spec.variant.epochs:
            return self._end("done")
        epochs = self._epochs(self._make_trainer(), spec, resume, have + 1)
        saved, cost = time.monotonic(), 0.0
        expected = have + 1
        for epoch in epochs:
            if epoch.epoch != expected:
                if epoch.epoch != 1:
                    raise RuntimeError(f"epoch {epoch.epoch} came where {expected} was due")
                # The checkpoint was of no use; the log says why.
                self._start(spec, 0)
            expected = epoch.epoch + 1
            began = time.monotonic()
            waited = began - saved
            is_last = epoch.epoch == spec.variant.epochs
            pausing = not is_last and self._watch.paused.is_set()
            due = pausing or (not is_last and _is_worth_it(waited, cost))
            with self._watch.writing:
                self._tell(epoch, checkpoint=due)
            self._say(epoch_line(epoch.epoch, spec.variant.epochs, epoch.metrics))
            if due:
                saved = time.monotonic()
                cost = saved - began
            if self._watch.cancelled.is_set():
                return self._end("cancelled", "cancelled")
            if pausing:
                return self._end("interrupted", "paused", fault=False)
        return self._end("done")

    def _epochs(
        self, trainer: Trainer, spec: RunSpec, resume: Path | None, due: int
    ) -> Iterator[Epoch]:
        """The trainer's epochs from `due` on; all of them where the checkpoint cannot be used."""
        if resume is not None:
            epochs = iter(trainer.epochs(spec, resume, self._notify))
            try:
                first = next(epochs, None)
            except UserError as error:
                self._say(f"{error}; starting over")
            else:
                if first is not None and first.epoch == due:
                    yield first
                    yield from epochs
                    return
                # Its epoch was lost with the events' tail. What it holds is given back first.
                if isinstance(epochs, Generator):
                    epochs.close()
                self._say(f"{resume}: not of epoch {due - 1}; starting over")
        yield from trainer.epochs(spec, None, self._notify)

    def _start(self, spec: RunSpec, have: int) -> None:
        me = Process.current()
        device = os.environ.get("POSTERTUI_DEVICE", "cpu")
        line = attempt_line(spec, self._writer.attempt, have + 1, device)
        self._say(f"{now()} {line}")
        self._writer.append("start", from_epoch=have + 1, device=device, **msgspec.to_builtins(me))
        self._watch.begin(self._folder, self._leave)

    def _tell(self, epoch: Epoch, *, checkpoint: bool) -> None:
        fields = {k: _plain(v) for k, v in epoch.metrics.items()}
        fields["epoch"] = epoch.epoch
        if not checkpoint:
            self._writer.append("epoch", **fields)
            return
        drafted = checkpoints.draft(self._folder, epoch.epoch, epoch.save)
        self._writer.append("epoch", **fields, checkpoint=True)
        checkpoints.adopt(self._folder, drafted)

    def _notify(self, cohort: int, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._notified < NOTIFY_SECONDS:
            return
        self._notified = now
        with self._watch.writing:
            self._writer.append("features", cohort=cohort, done=done, total=total)

    def _end(self, status: Outcome, reason: str = "", **fields: Any) -> Result:
        with self._watch.writing:
            if reason:
                fields["reason"] = " ".join(strip_control_chars(reason).split())[:500]
            # First, so that whoever sees the end has the whole log.
            self._say(f"{now()} {end_line(status, reason)}")
            self._writer.append("end", status=status, **fields)
            self._watch.end()
            self._tidy(status)
        return Result(status, reason)

    def _leave(self, status: str, reason: str) -> None:
        """The end, when the process has to go at once. The caller holds `writing`."""
        self._say(f"{now()} {end_line(status, reason)}")
        self._writer.append("end", status=status, reason=reason)
        self._tidy(status)

    def _tidy(self, status: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / layout.CANCEL).unlink(missing_ok=True)
            (self._folder / "checkpoint.tmp").unlink(missing_ok=True)
            if status == "done":
                checkpoints.remove(self._folder)

    def _crash(self, error: Exception) -> Result:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if _is_device_memory(error):
            again = _lost_for_memory(self._writer.events)
            status: Outcome = "failed" if again else "interrupted"
            return self._end(status, f"out of memory: {what}", fault=True, cause="device-memory")
        return self._end("failed", f"{what}; see `postertui log {self._folder.name}`")

    def _forget_late_cancel(self) -> None:
        """Whoever wished to cancel while the end was written could not get the lock."""
        wish = self._folder / layout.CANCEL
        with contextlib.suppress(OSError, DamagedEventsError):
            if not wish.exists():
                return
            with RunLock(self._folder) as lock:
                if not lock.acquire():
                    return
                with EventWriter(self._folder / layout.EVENTS) as writer:
                    newest = writer.events[-1] if writer.events else {}
                    if newest.get("event") != "end" or newest.get("status") == "interrupted":
                        writer.append("end", status="cancelled", reason="cancelled")
                wish.unlink(missing_ok=True)


def _refused(error: OSError) -> Result:
    if error.errno in _NO_ROOM:
        return Result("full", os.strerror(error.errno))
    return Result("damaged", f"{error.filename}: {error.strerror}")


def _is_worth_it(waited: float, cost: float) -> bool:
    """Whether a checkpoint is due `waited` seconds after one that took `cost` seconds."""
    return cost < CHECKPOINT_SHARE * waited or waited > CHECKPOINT_SECONDS


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's."""
    return value.item() if hasattr(value, "item") else value


def _is_device_memory(error: Exception) -> bool:
    name = type(error).__name__
    return (
        isinstance(error, MemoryError)
        or name == "ResourceExhaustedError"
        or "RESOURCE_EXHAUSTED" in str(error)
    )


def _lost_for_memory(events: list[dict[str, Any]]) -> bool:
    newest = next((e for e in reversed(events) if e["event"] in ("end", "requeue")), None)
    return newest is not None and newest.get("cause") == "device-memory"


def _make_durable(folder: Path) -> None:
    """What a run is must outlive a power loss before its first event says that it began."""
    for path in (folder / layout.SPEC, folder, folder.parent):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
