"""One run that a program writes, epoch by epoch, as it trains."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from postertui.data.weights import Weights
from postertui.history.metric_names import Validation, map_names
from postertui.recorder.settings import (
    external_variant,
    find_interrupted,
    to_name,
    to_numbers,
    to_whole,
)
from postertui.runs import layout
from postertui.runs.bounds import MAX_NUMBER
from postertui.runs.epoch_line import METRICS
from postertui.runs.events import DamagedEventsError, EventWriter
from postertui.runs.lifecycle import effective_epochs, is_closing
from postertui.runs.lock import RunLock
from postertui.runs.spec import EXTERNAL_DATA, RunSpec, write_spec
from postertui.study.labels import UNKNOWN_SETTING
from postertui.system.atomic_files import sync
from postertui.system.errors import UserError
from postertui.system.processes import Process
from postertui.system.regular_files import open_regular
from postertui.system.text import strip_control_chars
from postertui.system.version import __version__

#: Names in a dictionary of metrics that are no metrics.
_NO_METRICS = ("epoch", "step", "global_step", "batch", "size")

_MAX_EXTRA = 200


class LoggedRun:
    """A run that this program trains and writes; a context manager.

    The run's folder is locked as long as this object is open. Leaving the block ends the run: done,
    cancelled where `should_stop` was true, failed where an exception left it. Where the program is
    killed, the run is interrupted. The supervisor neither queues nor resumes such a run.

    Parameters
    ----------
    genre
        What is learned.
    variant
        A name for the set of hyper-parameters; runs of one name are compared as one variant.
    seed
        The random seed.
    runs
        The runs folder; made where it is missing.
    epochs
        How many epochs are planned, for progress.
    study
        The name of the study that the run is shown under.
    hyperparameters
        Those of `postertui.study.Variant`, such as `learning_rate` and `batch_size`.
    base_rates
        The share of positives in the training and in the test cohort, for the baselines.
    validation
        What `val_…` is shown as where no metric begins with `test`: `test`, or `val`.
    resume
        Go on with the newest interrupted run of this genre, variant and seed, if there is one.

    Attributes
    ----------
    name, folder, last_epoch
        The run's name and folder; the number of its newest epoch, 0 before the first.

    Raises
    ------
    UserError
        Where the folder cannot be written, or a setting is none.

    Examples
    --------
    >>> with postertui.log_run("Comedy", variant="my-net", epochs=20) as run:
    ...     for epoch in range(20):
    ...         run.epoch({"loss": train(), "val_loss": test()})
    ...         if run.should_stop:
    ...             break
    """

    def __init__(
        self,
        genre: str,
        *,
        variant: str = "script",
        seed: int = 0,
        runs: str | Path = "runs",
        epochs: int | None = None,
        study: str = "script",
        hyperparameters: Mapping[str, Any] | None = None,
        base_rates: tuple[float | None, float | None] = (None, None),
        validation: Validation = "test",
        resume: bool = False,
    ) -> None:
        if validation not in ("test", "val"):
            raise UserError(f'validation: "test" or "val", not {validation!r}')
        folder = Path(runs)
        epochs = None if epochs is None else to_whole("epochs", epochs, lowest=1)
        spec = RunSpec(
            variant=external_variant(to_name("variant", variant), epochs, hyperparameters or {}),
            genre=to_name("genre", genre),
            seed=to_whole("seed", seed, lowest=0),
            study=to_name("study", study),
            data="",
            data_fingerprint=f"{EXTERNAL_DATA}{secrets.token_hex(12)}",
            weights=Weights("random", "external"),
            train_base_rate=base_rates[0],
            test_base_rate=base_rates[1],
            created=time.time(),
            versions={"postertui": __version__},
            label=None if hyperparameters else UNKNOWN_SETTING,
        )
        self._validation: Validation = validation
        self._columns: dict[str, str] = {}
        self._warnings: set[str] = set()
        self._lost_from: int | None = None
        self._pid = os.getpid()
        self._epochs = epochs
        self._is_open = False
        try:
            path = find_interrupted(folder, spec) if resume else None
            if path is None:
                write_spec(folder, spec)
                path = folder / spec.run
            self._open(path)
        except OSError as error:
            where = error.filename or folder
            raise UserError(f"{where}: cannot be written: {error.strerror}") from None
        except DamagedEventsError as error:
            raise UserError(f"{folder}: a damaged run: {error}") from None
        atexit.register(self._leave)

    def _open(self, path: Path) -> None:
        self.name = path.name
        self.folder = path
        self._lock = RunLock(path)
        if not self._lock.acquire():
            raise UserError(f"{path}: another process writes this run")
        self._writer = EventWriter(path / layout.EVENTS)
        finished = effective_epochs(self._writer.events)
        self.last_epoch: int = finished[-1]["epoch"] if finished else 0
        for file in (path / layout.SPEC, path, path.parent):
            sync(file)
        self._writer.attempt += 1
        process = msgspec.to_builtins(Process.current())
        self._writer.append("start", from_epoch=self.last_epoch + 1, device="script", **process)
        self._began = time.monotonic()
        self._is_open = True
        self._log(f"attempt {self._writer.attempt} of a script, process {self._pid}")

    @property
    def should_stop(self) -> bool:
        """Whether the run was asked to end, by `postertui cancel` or in the dashboard."""
        return (self.folder / layout.CANCEL).exists()

    def epoch(self, metrics: Mapping[str, Any], *, epoch: int | None = None) -> None:
        """Record a finished epoch.

        Parameters
        ----------
        metrics
            Name to number, as Keras calls them (`loss`, `val_f1_score`) or as you like
            (`train/loss`, `grad_norm`). NaN, infinities and None are undefined.
            On a full disk the epoch is lost with a warning, and training goes on; later ones
            keep their numbers.
        epoch
            Its number, from 1; the next one by itself. A number that was recorded before replaces
            that epoch and all after it.

        Raises
        ------
        TypeError
            Where a metric is no number.
        ValueError
            Where `epoch` is below 1.
        """
        self._check_open()
        number = self.last_epoch + 1 if epoch is None else int(epoch)
        if number < 1:
            raise ValueError(f"epochs count from 1, not {number}")
        values = {
            name: number
            for name, number in to_numbers(metrics).items()
            if name.lower() not in _NO_METRICS
        }
        now = time.monotonic()
        fields = self._fields(values)
        fields.setdefault("seconds", now - self._began)
        self._began = now
        self.last_epoch = number
        try:
            self._writer.append("epoch", epoch=number, **fields)
        except OSError as error:
            # One warning for all that are lost in a row.
            self._lost_from = self._lost_from or number
            lost = f"epoch {self._lost_from} is not recorded"
            self._warn_once(f"{self.folder}: {lost}: {error.strerror}")
            return
        self._lost_from = None
        shown = "  ".join(f"{name} {value:.5g}" for name, value in values.items())
        self._log(f"epoch {number}{f'/{self._epochs}' if self._epochs else ''}  {shown}")

    def finish(self, status: str = "done", reason: str = "") -> None:
        """End the run: `done`, `failed`, `cancelled` or `interrupted`, once."""
        if not self._is_open or os.getpid() != self._pid:
            return
        self._is_open = False
        atexit.unregister(self._leave)
        fields = {"reason": " ".join(strip_control_chars(reason).split())[:500]} if reason else {}
        self._log(f"{status}{f': {reason}' if reason else ''}")
        try:
            self._writer.append("end", status=status, **fields)
        except OSError as error:
            self._warn_once(f"{self.folder}: its end is not recorded: {error.strerror}")
        if is_closing("end", status):
            with contextlib.suppress(OSError):
                (self.folder / layout.CANCEL).unlink(missing_ok=True)
        self._writer.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        match error:
            case None:
                self._finish_normally()
            case SystemExit(code=None | 0):
                self._finish_normally()
            case KeyboardInterrupt():
                self.finish("interrupted", "stopped from the keyboard")
            case _:
                self.finish("failed", f"{type(error).__name__}: {error}")

    def _finish_normally(self) -> None:
        if self.should_stop:
            self.finish("cancelled", "cancelled")
        else:
            self.finish()

    def _leave(self) -> None:
        """The program ends without having finished the run."""
        self.finish("interrupted", "the program ended before the run did")

    def _check_open(self) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError("a run is written by the process that began it")
        if not self._is_open:
            raise RuntimeError(f"the run {self.name} has ended")

    def _fields(self, values: Mapping[str, float]) -> dict[str, Any]:
        """The fields of an `epoch` event: known columns by name, others in `extra`."""
        if not values.keys() <= self._columns.keys():
            names = dict.fromkeys([*self._columns, *values])
            self._columns = map_names(names, columns=METRICS, validation=self._validation)
        fields: dict[str, Any] = {}
        extra: dict[str, float | None] = {}
        for name, value in values.items():
            column = self._columns.get(name)
            if column is None:
                self._warn_once(f"the metric {name!r} is not recorded: its name is another's too")
            elif column in METRICS:
                fields[column] = value
            elif len(extra) < _MAX_EXTRA:
                extra[column] = value if abs(value) <= MAX_NUMBER else None
        return fields | ({"extra": extra} if extra else {})

    def _log(self, line: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S%z")
        with contextlib.suppress(OSError):
            fd = open_regular(self.folder / layout.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with os.fdopen(fd, "ab") as log:
                log.write(f"{stamp} {strip_control_chars(line)}\n".encode(errors="replace"))

    def _warn_once(self, text: str) -> None:
        """Warn once of what does not stop the training."""
        if text not in self._warnings:
            self._warnings.add(text)
            warnings.warn(f"postertui: {text}", RuntimeWarning, stacklevel=3)
