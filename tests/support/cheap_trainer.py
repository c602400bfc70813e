"""Cheap but real training: a logistic regression in NumPy, with the trainer's interface.

It learns, it depends on every bit of its state, it goes on from a checkpoint, and an epoch takes
a millisecond. For tests and benchmarks of what surrounds training:

    POSTERTUI_TRAINER=tests.support.cheap_trainer:CheapTrainer

`CHEAP_SECONDS` stretches each epoch. What a genre is called decides what goes wrong in the third
epoch: `hang`, `hang-once`, `helper` (hangs, and has started a process), `eat` (memory), `raise`,
`segfault`, `exit`, `slow` (an epoch that never ends inside C code), `oom` (device memory, always),
`big` (device memory, unless it has the device to itself); `refuse` (an error for people) begins
not at all. Genres of a group are trained side by side. `CHEAP_NOTES` is a folder in
which trainers of several processes leave word for each other; the file `pace` in it overrules
`CHEAP_SECONDS` at any time, and no epoch after the one that the file `hold` names begins while
it is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.predictions.table import Predictions, write_predictions
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import write_weights
from postertui.system.errors import UserError
from postertui.system.locks import is_held

FEATURES = 16
POSTERS = 400

Vector = NDArray[np.float64]


class CheapEpoch(NamedTuple):
    epoch: int
    metrics: dict[str, Any]
    state: dict[str, NDArray[Any]]
    write_results: Callable[[Path], dict[str, Any]] | None = None
    group: Mapping[str, CheapEpoch] = MappingProxyType({})

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, epoch=np.array(self.epoch), **self.state)  # type: ignore[arg-type]


class CheapTrainer:
    """Trains `spec.variant.epochs` epochs of gradient descent with momentum."""

    def __init__(self) -> None:
        self._seconds = float(os.environ.get("CHEAP_SECONDS", "0"))
        self._eaten: list[bytes] = []
        notes = os.environ.get("CHEAP_NOTES")
        self._notes = Path(notes) if notes else None

    def epochs(
        self,
        spec: RunSpec,
        resume: Path | None,
        notify: Callable[[int, int, int], None],
        code: Mapping[str, bytes] | None = None,
    ) -> Iterator[CheapEpoch]:
        """`code` is written to the log, not executed."""
        for name, content in (code or {}).items():
            sys.stdout.write(f"code {name}: {content!r}\n")
        if spec.genre == "refuse":
            raise UserError("genre refuse: no poster of the training cohorts has it")
        with self._present(spec):
            yield from self._train_group(spec, resume) if spec.group else self._train(spec, resume)

    def _train_group(self, spec: RunSpec, resume: Path | None) -> Iterator[CheapEpoch]:
        trainings = [self._train(member, resume, f"{member.genre}-") for member in spec.members]
        for epochs in zip(*trainings, strict=True):
            state = {name: array for epoch in epochs for name, array in epoch.state.items()}
            group = {
                genre: epoch._replace(state=state)
                for genre, epoch in zip(spec.group, epochs, strict=True)
            }
            yield group[spec.genre]._replace(group=group)

    def _train(self, spec: RunSpec, resume: Path | None, prefix: str = "") -> Iterator[CheapEpoch]:
        x, y = _posters(spec)
        done, weights, velocity = _initial(spec) if resume is None else _load(resume, prefix)
        for epoch in range(done + 1, spec.variant.epochs + 1):
            while epoch > self._note("hold", epoch):
                time.sleep(0.02)
            began = time.monotonic()
            self._misbehave(spec.genre, epoch)
            rng = np.random.default_rng([spec.seed, epoch, len(spec.genre)])
            for rows in np.array_split(rng.permutation(POSTERS), 8):
                error = _predict(x[rows], weights) - y[rows]
                velocity = 0.9 * velocity - 0.05 * (x[rows].T @ error) / len(rows)
                weights = weights + velocity
            metrics = _metrics(_predict(x, weights), y)
            while (left := self._note("pace", self._seconds) - (time.monotonic() - began)) > 0:
                time.sleep(min(left, 0.1))
            metrics["seconds"] = time.monotonic() - began
            state = {f"{prefix}weights": weights, f"{prefix}velocity": velocity}
            write = None
            if epoch == spec.variant.epochs:
                write = partial(_write_results, spec, epoch, weights, _predict(x, weights), y)
            yield CheapEpoch(epoch, metrics, state, write)

    def _note(self, name: str, otherwise: float) -> float:
        """The number left in the notes, if any."""
        with contextlib.suppress(OSError, ValueError):
            if self._notes is not None:
                return float((self._notes / name).read_text())
        return otherwise

    @contextlib.contextmanager
    def _present(self, spec: RunSpec) -> Iterator[None]:
        """Let trainers on the same device know, as long as this process lives."""
        if self._notes is None:
            yield
            return
        note = self._notes / f"{spec.run}.{os.getpid()}"
        with note.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                note.unlink()

    def _company(self) -> int:
        """How many trainers are at work, this one included."""
        if self._notes is None:
            return 1
        return sum(1 for path in self._notes.glob("*--*") if is_held(path))

    def _first_time(self, what: str) -> bool:
        if self._notes is None:
            return False
        try:
            (self._notes / what).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _misbehave(self, genre: str, epoch: int) -> None:
        if epoch < 3:
            return
        match genre:
            case "hang":
                time.sleep(3600)
            case "hang-once" if self._first_time("hung"):
                time.sleep(3600)
            case "helper":
                subprocess.Popen(["sleep", "3600"])
                time.sleep(3600)
            case "segfault":
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGSEGV)
            case "eat":
                while True:
                    self._eaten.append(os.urandom(1 << 24))
                    time.sleep(0.01)
            case "raise":
                raise ValueError("the third epoch\x1b[31m is one too many")
            case "exit":
                os._exit(7)
            case "oom":
                raise MemoryError("RESOURCE_EXHAUSTED: no device memory left")
            case "big" if self._company() > 1:
                raise MemoryError("RESOURCE_EXHAUSTED: others have the device's memory")
            case "slow":
                np.linalg.svd(np.random.default_rng(0).random((6000, 6000)))
            case _:
                pass


def _posters(spec: RunSpec) -> tuple[Vector, Vector]:
    rng = np.random.default_rng(sum(spec.genre.encode()))
    x = rng.normal(size=(POSTERS, FEATURES))
    y = (x @ rng.normal(size=FEATURES) + rng.normal(size=POSTERS) > 0.5).astype(np.float64)
    return x, y


def _initial(spec: RunSpec) -> tuple[int, Vector, Vector]:
    rng = np.random.default_rng([spec.seed, spec.variant.fc1])
    return 0, rng.normal(scale=0.1, size=FEATURES), np.zeros(FEATURES)


def _load(path: Path, prefix: str) -> tuple[int, Vector, Vector]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            epoch = int(stored["epoch"])
            return epoch, stored[f"{prefix}weights"], stored[f"{prefix}velocity"]
    except Exception as error:
        raise UserError(f"{path}: not a whole checkpoint ({error})") from None


def _write_results(
    spec: RunSpec, epoch: int, weights: Vector, p: Vector, y: Vector, folder: Path
) -> dict[str, Any]:
    ids = np.arange(len(y)) * 10 + 2
    cohorts = np.full(len(y), 2, np.uint8)
    labels, probabilities = y.astype(np.uint8), p.astype(np.float32)
    predictions = write_predictions(folder, Predictions(ids, cohorts, labels, probabilities))
    fields = {"predictions": msgspec.to_builtins(predictions)}
    if spec.keep_weights == "none":
        return fields
    info = write_weights(folder, spec.digest, epoch, {"output/kernel": weights})
    return fields | {"weights": msgspec.to_builtins(info)}


def _predict(x: Vector, weights: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-(x @ weights))))


def _metrics(p: Vector, y: Vector) -> dict[str, Any]:
    loss = float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))
    soft = float(2 * (p @ y) / (p.sum() + y.sum()))
    hits = (p > 0.5) == (y > 0.5)
    metrics: dict[str, Any] = {}
    for cohort in ("train", "test"):
        metrics[f"{cohort}_loss"] = loss
        metrics[f"{cohort}_accuracy"] = float(hits.mean())
        metrics[f"{cohort}_fscore"] = soft if cohort == "train" else float("nan")
        metrics[f"{cohort}_fscore_soft"] = soft
        metrics[f"{cohort}_tp"] = int(((p > 0.5) & (y > 0.5)).sum())
    return metrics | {"dead": False, "learning_rate": 0.05, "empty_batches": 0}
