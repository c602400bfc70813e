"""Runs that go on as their jobs would have it: an epoch each, at a steady pace."""

from __future__ import annotations

import math
import random
import threading
import time
from pathlib import Path

from postertui.runs.events import encode_event
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec, write_spec
from postertui.study import Variant
from tests.support.many_runs import GENRES
from tests.support.specs import made_spec

VARIANTS = ("base", "no-reg", "l2-1e-2", "l2-1e-4", "lr-decay", "bce", "batch-64", "scratch")


class LiveRuns:
    """`genres` x `variants` x `seeds` running runs of `epochs`, so many of them done already."""

    def __init__(
        self, folder: Path, genres: int, variants: int, *, seeds: int = 1, epochs: int = 400
    ) -> None:
        self.folder = folder
        self.epochs = epochs
        self.names: list[str] = []
        self._locks: list[RunLock] = []
        self._files: list[int] = []
        self._at = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        import os

        for seed in range(seeds):
            for genre in GENRES[:genres]:
                for number, variant in enumerate(VARIANTS[:variants]):
                    spec = _spec(genre, variant, number, seed, epochs)
                    write_spec(folder, spec)
                    path = folder / spec.run
                    (path / "lock").touch()
                    lock = RunLock(path)
                    assert lock.acquire(1.0)
                    self._locks.append(lock)
                    self.names.append(spec.run)
                    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                    self._files.append(os.open(path / "events.jsonl", flags, 0o600))
        for index, fd in enumerate(self._files):
            process = {"pid": 1, "host": "bench", "device": f"gpu:{index % 4}", "from_epoch": 1}
            os.write(fd, encode_event(0, 1, "start", process, time.time()))

    def advance(self, epochs: int = 1) -> None:
        """Add so many epochs to every run."""
        for _ in range(epochs):
            if self._at >= self.epochs:
                return
            self._at += 1
            for index in range(len(self._files)):
                self._append(index)

    def _append(self, index: int) -> None:
        import os

        fields = _metrics(index, self._at)
        os.write(self._files[index], encode_event(self._at, 1, "epoch", fields, time.time()))

    def start(self, period: float) -> None:
        """Add an epoch to every run each `period` seconds, spread over it as real runs are."""

        def go() -> None:
            begun = time.monotonic()
            done = 0
            total = len(self._files)
            while not self._stop.is_set() and self._at < self.epochs:
                due = min(int((time.monotonic() - begun) / period * total), done + total)
                while done < due:
                    if done % total == 0:
                        self._at += 1
                    self._append(done % total)
                    done += 1
                self._stop.wait(0.01)

        self._thread = threading.Thread(target=go, daemon=True)
        self._thread.start()

    def close(self) -> None:
        import os

        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for fd in self._files:
            os.close(fd)
        for lock in self._locks:
            lock.release()


def _metrics(index: int, epoch: int) -> dict[str, object]:
    rng = random.Random(index * 100_003 + epoch)
    rise = 1 - math.exp(-epoch / (40 + 10 * (index % 7)))
    test = 0.1 + 0.4 * rise + rng.gauss(0, 0.015)
    train = 0.1 + 0.55 * rise + rng.gauss(0, 0.008)
    fields: dict[str, object] = {"epoch": epoch, "dead": False, "seconds": 0.1}
    fields |= {"learning_rate": 1e-3, "empty_batches": 0}
    for cohort, value in (("train", train), ("test", test)):
        fields |= {
            f"{cohort}_loss": 1 - value,
            f"{cohort}_accuracy": 0.7,
            f"{cohort}_fscore": value,
            f"{cohort}_fscore_soft": value,
            f"{cohort}_fscore_hard": value,
        }
    return fields


def _spec(genre: str, variant: str, number: int, seed: int, epochs: int) -> RunSpec:
    chosen = Variant(name=variant, fc1=256 + number, epochs=epochs)
    return made_spec(chosen, genre, seed=seed, created=1_700_000_000.0)
