"""One attempt at one run: from its lock to its end."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from postertui.runs import layout
from postertui.runs.code import Code, read_code
from postertui.runs.events import DamagedEventsError, EventWriter
from postertui.runs.lifecycle import DEVICE_MEMORY, RunLifecycle
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec, read_spec
from postertui.runs.transitions import CANCELLED, NewEvent, append_under_lock
from postertui.system.atomic_files import sync
from postertui.system.errors import UserError
from postertui.system.processes import Process
from postertui.system.text import to_single_line
from postertui.training.accelerators import accelerators_of, device_in_use
from postertui.training.job import checkpoints
from postertui.training.job.log import attempt_line, end_line, epoch_line, log_to, now
from postertui.training.job.stop_listener import MOVED, StopListener

#: How an attempt ended. `held`: another process has the run. `closed`: it had its end already.
Outcome = Literal["done", "failed", "cancelled", "interrupted", "held", "closed", "damaged", "full"]

#: A checkpoint may take this share of the time since the one before.
CHECKPOINT_SHARE = 0.05

#: After so many seconds without one, a checkpoint is written however long it takes.
CHECKPOINT_SECONDS = 10.0

#: Seconds between two events about the progress of feature extraction.
NOTIFY_SECONDS = 0.5

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Epoch(Protocol):
    """A finished epoch, as a trainer yields it: one row of the history table."""

    @property
    def epoch(self) -> int: ...

    @property
    def metrics(self) -> dict[str, Any]: ...

    @property
    def write_results(self) -> Callable[[Path], dict[str, Any]] | None:
        """For the run's last epoch: writes predictions and weights into the run's folder and
        returns the fields of the `end` event."""

    def save(self, path: Path) -> None:
        """Write everything that is needed to resume after this epoch."""


class Trainer(Protocol):
    """Trains runs, one after the other, and keeps what they share in memory."""

    def epochs(
        self, spec: RunSpec, resume: Path | None, notify: Callable[[int, int, int], None]
    ) -> Iterator[Epoch]:
        """The run's epochs from the one after `resume` on (from 1 where that is None).

        `notify(cohort, done, total)` is called during feature extraction, before the first epoch.
        A run with functions of the user's own comes with their files, too, as `code`.
        Raises `UserError` for a run that cannot be trained.
        """


class Result(NamedTuple):
    outcome: Outcome
    reason: str = ""


class Attempt:
    """Trains the run in `folder`. `run` returns how that ended and never raises for the run.

    `vouched` are digests of files that are executed although this user has not trusted them.
    """

    def __init__(
        self,
        folder: Path,
        make_trainer: Callable[[], Trainer],
        listener: StopListener,
        vouched: frozenset[str] = frozenset(),
    ) -> None:
        self._folder = folder
        self._vouched = vouched
        self._lock = RunLock(folder)
        self._make_trainer = make_trainer
        self._listener = listener
        self._writer: EventWriter
        self._lifecycle: RunLifecycle
        self._log: Callable[[str], None] = lambda _line: None
        self._notified = 0.0
        self._accelerators: tuple[str, ...] | None = None

    def run(self) -> Result:
        lock = self._lock
        try:
            if not lock.acquire():
                return Result("held", "another process trains this run")
        except OSError as error:
            return _refused(error)
        try:
            with EventWriter(self._folder / layout.EVENTS) as self._writer:
                return self._attempt()
        except DamagedEventsError as error:
            return Result("damaged", f"{self._folder / layout.EVENTS}:{error.line}: {error.reason}")
        except OSError as error:
            return _refused(error)
        finally:
            self._listener.end()
            lock.release()
            self._honour_late_cancel()

    def _attempt(self) -> Result:
        self._lifecycle = RunLifecycle.of(self._writer.events)
        if self._lifecycle.is_closed:
            return Result("closed")
        if (self._folder / layout.CANCEL).exists():
            return self._end("cancelled", "cancelled")
        with log_to(self._folder / layout.LOG) as self._log:
            try:
                return self._train()
            except UserError as error:
                return self._end("failed", str(error))
            except OSError as error:
                if self._lock.is_displaced():
                    return self._end("interrupted", MOVED, fault=False)
                if error.errno in _DISK_FULL:
                    return Result("full", f"no room left on the disk of {self._folder}")
                return self._crash(error)
            except Exception as error:
                return self._crash(error)

    def _train(self) -> Result:
        spec = read_spec(self._folder)
        code = read_code(self._folder, spec.variant, self._vouched)
        _make_durable(self._folder)
        resume, trained = checkpoints.recover(self._folder, self._writer.events)
        self._writer.attempt += 1
        if trained >= spec.variant.epochs:
            self._start(spec, trained)
            return self._end("done")
        try:
            # Before the start is recorded, for only the framework knows what it trains on.
            trainer = self._make_trainer()
            self._accelerators = accelerators_of(trainer)
        finally:
            self._start(spec, trained)
        self._check_device()
        epochs = self._epochs(trainer, spec, code, resume, trained + 1)
        results: dict[str, Any] = {}
        saved, cost = time.monotonic(), 0.0
        expected = trained + 1
        for epoch in epochs:
            if epoch.epoch != expected:
                if epoch.epoch != 1:
                    raise RuntimeError(f"epoch {epoch.epoch} came where {expected} was due")
                # The checkpoint could not be used; the log says why.
                self._start(spec, 0)
            expected = epoch.epoch + 1
            began = time.monotonic()
            waited = began - saved
            is_last = epoch.write_results is not None
            if epoch.write_results is not None:
                # Before its event, so that a run whose epochs are complete has its results.
                results = epoch.write_results(self._folder)
            pausing = not is_last and self._listener.paused.is_set()
            due = pausing or (not is_last and _is_checkpoint_due(waited, cost))
            with self._listener.writing:
                self._record_epoch(epoch, checkpoint=due)
            self._log(epoch_line(epoch.epoch, spec.variant.epochs, epoch.metrics))
            if due:
                saved = time.monotonic()
                cost = saved - began
            if self._listener.cancelled.is_set():
                return self._end("cancelled", "cancelled")
            if pausing:
                return self._end("interrupted", "held", fault=False)
        return self._end("done", **results)

    def _epochs(
        self, trainer: Trainer, spec: RunSpec, code: Code, resume: Path | None, due: int
    ) -> Iterator[Epoch]:
        """The trainer's epochs from `due` on; all of them where the checkpoint cannot be used."""
        train: Callable[..., Iterator[Epoch]] = trainer.epochs
        if code:
            train = functools.partial(train, code=code)
        if resume is not None:
            epochs = iter(train(spec, resume, self._notify))
            try:
                first = next(epochs, None)
            except UserError as error:
                self._log(f"{error}; starting over")
            else:
                if first is not None and first.epoch == due:
                    yield first
                    yield from epochs
                    return
                # Its epoch was lost with the events' tail. Its resources are released first.
                if isinstance(epochs, Generator):
                    epochs.close()
                self._log(f"{resume}: not of epoch {due - 1}; starting over")
        yield from train(spec, None, self._notify)

    def _start(self, spec: RunSpec, trained: int) -> None:
        assigned = os.environ.get("POSTERTUI_DEVICE", "cpu")
        device = device_in_use(assigned, self._accelerators)
        fields = {"device": device}
        if device != assigned:
            fields["assigned"] = assigned
        process = msgspec.to_builtins(Process.current())
        line = attempt_line(spec, self._writer.attempt, trained + 1, device)
        self._log(f"{now()} {line}")
        if device != assigned:
            self._log(f"{assigned} was assigned, but the framework does not use it")
        self._writer.append("start", from_epoch=trained + 1, **fields, **process)
        self._listener.begin(self._folder, self._end_at_once, self._lock.is_displaced)

    def _check_device(self) -> None:
        """Raise `UserError` where a GPU was asked for by name and is not used."""
        assigned = os.environ.get("POSTERTUI_DEVICE", "cpu")
        if os.environ.get("POSTERTUI_DEVICE_REQUIRED") == "1":
            device = device_in_use(assigned, self._accelerators)
            if device != assigned:
                raise UserError(
                    f"{assigned} was asked for, but training would be on {device}: "
                    "`postertui doctor` says why; `postertui train --device cpu` goes on"
                )

    def _record_epoch(self, epoch: Epoch, *, checkpoint: bool) -> None:
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
        with self._listener.writing:
            self._writer.append("features", cohort=cohort, done=done, total=total)

    def _end(self, status: Outcome, reason: str = "", **fields: Any) -> Result:
        with self._listener.writing:
            if reason:
                fields["reason"] = to_single_line(reason)[:500]
            # First, so that the log is whole for every reader that sees the end.
            self._log(f"{now()} {end_line(status, reason)}")
            self._writer.append("end", status=status, **fields)
            self._listener.end()
            self._remove_leftovers(status)
        return Result(status, reason)

    def _end_at_once(self, status: str, reason: str) -> None:
        """Write the end of a process that has to exit at once. The caller holds `writing`."""
        self._log(f"{now()} {end_line(status, reason)}")
        self._writer.append("end", status=status, reason=reason)
        self._remove_leftovers(status)

    def _remove_leftovers(self, status: str) -> None:
        if self._lock.is_displaced():
            return
        with contextlib.suppress(OSError):
            (self._folder / layout.CANCEL).unlink(missing_ok=True)
            (self._folder / layout.CHECKPOINT_TEMPORARY).unlink(missing_ok=True)
            if status == "done":
                checkpoints.remove(self._folder)

    def _crash(self, error: Exception) -> Result:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if _is_device_memory(error):
            # Interrupted, it gets a device to itself; failed where it had one already.
            had_one = self._lifecycle.needs_exclusive_device
            status: Outcome = "failed" if had_one else "interrupted"
            return self._end(status, f"out of memory: {what}", fault=True, cause=DEVICE_MEMORY)
        return self._end("failed", f"{what}; see `postertui log {self._folder.name}`")

    def _honour_late_cancel(self) -> None:
        """Act on a request to cancel that came while this job still held the lock."""

        def end(lifecycle: RunLifecycle) -> NewEvent | None:
            return None if lifecycle.is_closed else CANCELLED

        request = self._folder / layout.CANCEL
        with contextlib.suppress(OSError, DamagedEventsError):
            if request.exists() and append_under_lock(self._folder, end) is not None:
                request.unlink(missing_ok=True)


def _refused(error: OSError) -> Result:
    if error.errno in _DISK_FULL:
        return Result("full", os.strerror(error.errno))
    return Result("damaged", f"{error.filename}: {error.strerror}")


def _is_checkpoint_due(waited: float, cost: float) -> bool:
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


def _make_durable(folder: Path) -> None:
    """Bring the run's spec and folder to the disk, before its first event says that it began."""
    for path in (folder / layout.SPEC, folder, folder.parent):
        sync(path)
