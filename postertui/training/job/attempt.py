"""One attempt at one run: from its lock to its end."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from postertui.runs import layout
from postertui.runs.code import read_code
from postertui.runs.events import DamagedEventsError
from postertui.runs.lifecycle import DEVICE_MEMORY
from postertui.runs.spec import RunSpec, read_spec
from postertui.system.errors import UserError
from postertui.system.os_errors import is_disk_full
from postertui.system.processes import Process
from postertui.system.text import to_single_line
from postertui.training.accelerators import accelerators_of, device_in_use
from postertui.training.job import checkpoints
from postertui.training.job.interface import Epoch, RunTrainer
from postertui.training.job.log import attempt_line, epoch_line, log_to, now
from postertui.training.job.member import Member
from postertui.training.job.result import Ending, Result, full, refused
from postertui.training.job.resumption import epochs_from
from postertui.training.job.stop_listener import MOVED, StopListener

#: Seconds between two events about the progress of feature extraction.
NOTIFY_SECONDS = 0.5


class Attempt:
    """Trains one run, or the runs that are trained together; `run` never raises for them.

    The checkpoint of several runs lies in the first one's folder; its events are written last, so
    that the others' histories never end before its own. `accepted_digests` are those of files that
    are executed although this user has not trusted them.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        make_trainer: Callable[[], RunTrainer],
        listener: StopListener,
        accepted_digests: frozenset[str] = frozenset(),
    ) -> None:
        self._members = [Member(folder) for folder in folders]
        self._accepted_digests = accepted_digests
        self._make_trainer = make_trainer
        self._listener = listener
        self._notified = 0.0
        self._accelerators: tuple[str, ...] | None = None

    def run(self) -> Result:
        with contextlib.ExitStack() as stack:
            stack.callback(self._honour_late_cancel, list(self._members))
            try:
                for member in self._members:
                    if not member.acquire():
                        return Result("held", "another process trains this run")
                    stack.callback(member.release)
            except OSError as error:
                return refused(error, self._lead.folder)
            stack.callback(self._listener.end)
            try:
                if damage := self._open_events(stack):
                    return damage
                return self._attempt()
            except OSError as error:
                return refused(error, self._lead.folder)

    @property
    def _lead(self) -> Member:
        return self._members[0]

    def _open_events(self, stack: contextlib.ExitStack) -> Result | None:
        """Open the events of each run. Damaged ones are left out; the result where all are."""
        damage = None
        for member in list(self._members):
            try:
                stack.enter_context(member.open_events())
            except DamagedEventsError as error:
                path = member.folder / layout.EVENTS
                damage = Result("damaged", f"{path}:{error.line}: {error.reason}")
                self._members.remove(member)
        return None if self._members else damage

    def _attempt(self) -> Result:
        self._members = [m for m in self._members if not m.lifecycle.is_closed]
        if not self._members:
            return Result("closed")
        if any(member.is_cancelled for member in self._members):
            return self._end("cancelled", "cancelled")
        with contextlib.ExitStack() as logs:
            logs.enter_context(self._lead.open_log(log_to))
            for member in self._members[1:]:
                logs.enter_context(member.open_log())
            try:
                return self._train()
            except UserError as error:
                return self._end("failed", str(error))
            except OSError as error:
                if self._is_displaced():
                    return self._end("interrupted", MOVED, fault=False)
                if is_disk_full(error):
                    return full(error, self._lead.folder)
                return self._crash(error)
            except Exception as error:
                return self._crash(error)

    def _train(self) -> Result:
        spec = self._read_specs()
        code = read_code(self._lead.folder, spec.variant, self._accepted_digests)
        for member in self._members:
            member.make_durable()
        resume, trained = checkpoints.recover(self._lead.folder, self._lead.writer.events)
        if not all(member.has_epoch(trained) for member in self._members if trained):
            resume, trained = None, 0
        for member in self._members:
            member.writer.attempt += 1
        if trained >= spec.variant.epochs:
            self._start(trained)
            return self._end("done")
        try:
            # Before the start is recorded, for only the framework knows what it trains on.
            trainer = self._make_trainer()
            self._accelerators = accelerators_of(trainer)
        finally:
            self._start(trained)
        self._check_device()
        epochs = epochs_from(
            trainer, spec, code, resume, trained + 1, notify=self._notify, log=self._lead.log
        )
        saved, cost = time.monotonic(), 0.0
        expected = trained + 1
        for epoch in epochs:
            if epoch.epoch != expected:
                if epoch.epoch != 1:
                    raise RuntimeError(f"epoch {epoch.epoch} came where {expected} was due")
                # The checkpoint could not be used; the log says why.
                self._start(0)
            expected = epoch.epoch + 1
            began = time.monotonic()
            waited = began - saved
            is_last = epoch.write_results is not None
            if is_last:
                # Before its event, so that a run whose epochs are complete has its results.
                self._write_results(epoch)
            pausing = not is_last and self._listener.paused.is_set()
            due = pausing or (not is_last and checkpoints.is_due(waited, cost))
            with self._listener.writing:
                self._record_epoch(epoch, checkpoint=due)
            for member in self._members:
                metrics = _result_of(epoch, member).metrics
                member.log(epoch_line(epoch.epoch, spec.variant.epochs, metrics))
            if due:
                saved = time.monotonic()
                cost = saved - began
            if self._listener.cancelled.is_set():
                return self._end("cancelled", "cancelled")
            if pausing:
                return self._end("interrupted", "held", fault=False)
        return self._end("done")

    def _read_specs(self) -> RunSpec:
        """The first run's spec. Raises `UserError` for runs that are not trained together."""
        for member in self._members:
            member.spec = read_spec(member.folder)
        spec = self._lead.spec
        for member in self._members[1:]:
            if member.spec.unit != spec.unit:
                raise UserError(
                    f"{member.folder}: not trained together with {self._lead.folder.name}"
                )
        return spec

    def _start(self, trained: int) -> None:
        assigned = os.environ.get("POSTERTUI_DEVICE", "cpu")
        device = device_in_use(assigned, self._accelerators)
        fields = {"device": device}
        if device != assigned:
            fields["assigned"] = assigned
        process = msgspec.to_builtins(Process.current())
        for member in reversed(self._members):
            line = attempt_line(member.spec, member.writer.attempt, trained + 1, device)
            member.log(f"{now()} {line}")
            if device != assigned:
                member.log(f"{assigned} was assigned, but the framework does not use it")
            member.writer.append("start", from_epoch=trained + 1, **fields, **process)
        folders = [member.folder for member in self._members]
        self._listener.begin(folders, self._end_at_once, self._is_displaced)

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

    def _write_results(self, epoch: Epoch) -> None:
        for member in self._members:
            if write := _result_of(epoch, member).write_results:
                member.results = write(member.folder)

    def _record_epoch(self, epoch: Epoch, *, checkpoint: bool) -> None:
        drafted = None
        if checkpoint:
            drafted = checkpoints.draft(self._lead.folder, epoch.epoch, epoch.save)
        for member in reversed(self._members):
            metrics = _result_of(epoch, member).metrics
            fields = {k: _plain(v) for k, v in metrics.items()} | {"epoch": epoch.epoch}
            if drafted is not None and member is self._lead:
                fields["checkpoint"] = True
            member.writer.append("epoch", **fields)
        if drafted is not None:
            checkpoints.adopt(self._lead.folder, drafted)

    def _notify(self, cohort: int, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._notified < NOTIFY_SECONDS:
            return
        self._notified = now
        with self._listener.writing:
            for member in reversed(self._members):
                member.writer.append("features", cohort=cohort, done=done, total=total)

    def _end(self, status: Ending, reason: str = "", **fields: Any) -> Result:
        with self._listener.writing:
            for member in reversed(self._members):
                results = member.results if status == "done" else {}
                member.end(status, to_single_line(reason)[:500], **fields, **results)
            self._listener.end()
        return Result(status, reason)

    def _end_at_once(self, status: str, reason: str) -> None:
        """Write the end of a process that has to exit at once. The caller holds `writing`."""
        for member in reversed(self._members):
            member.end(status, reason)

    def _is_displaced(self) -> bool:
        return any(member.is_displaced() for member in self._members)

    def _crash(self, error: Exception) -> Result:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if _is_device_memory(error):
            # Interrupted, it gets a device to itself; failed where it had one already.
            had_one = any(member.lifecycle.needs_exclusive_device for member in self._members)
            status: Ending = "failed" if had_one else "interrupted"
            return self._end(status, f"out of memory: {what}", fault=True, cause=DEVICE_MEMORY)
        return self._end("failed", f"{what}; see `postertui log {self._lead.folder.name}`")

    def _honour_late_cancel(self, members: Sequence[Member]) -> None:
        for member in members:
            member.honour_late_cancel()


def _result_of(epoch: Epoch, member: Member) -> Epoch:
    """What `epoch` has for the run."""
    return epoch.group[member.spec.genre] if member.spec.group else epoch


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
