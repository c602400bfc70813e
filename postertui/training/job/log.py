"""The run's log: whatever the process prints while it trains, and a line for each epoch."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from postertui.harmless import harmless
from postertui.runs import RunSpec


def attempt_line(spec: RunSpec, attempt: int, first_epoch: int) -> str:
    """What begins: `attempt 2 on cpu: Comedy, base, seed 0, from epoch 8 of 10`."""
    device = os.environ.get("POSTERTUI_DEVICE", "cpu")
    what = f"{spec.genre}, {spec.variant.name}, seed {spec.seed}"
    epochs = f"from epoch {first_epoch} of {spec.variant.epochs}"
    return f"attempt {attempt} on {device}: {what}, {epochs}"


def epoch_line(epoch: int, epochs: int, metrics: Mapping[str, Any]) -> str:
    """An epoch for people; all of its numbers are in the run's events.

    `F` is the soft F-score of the whole cohort, or the mean of its batches where that is all.
    """
    words = [f"epoch {epoch:>{len(str(epochs))}}/{epochs}"]
    for cohort in ("train", "test"):
        loss = metrics.get(f"{cohort}_loss")
        score = metrics.get(f"{cohort}_fscore_soft", metrics.get(f"{cohort}_fscore"))
        words.append(f"{cohort} loss {_number(loss)} F {_number(score)}")
    if isinstance(seconds := metrics.get("seconds"), int | float):
        words.append(f"{seconds:.3f} s")
    if metrics.get("dead"):
        words.append("dead: its weights are no numbers any more")
    return "  ".join(words)


def _number(value: Any) -> str:
    if isinstance(value, int | float) and math.isfinite(value):
        return f"{value:.4f}"
    return "undefined"


def now() -> str:
    """The time here, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[Callable[[str], None]]:
    """Let everything that the process prints, from C too, go to the run's log.

    Gives a function that writes a line there. A line that finds no room is left out: the events
    tell of a full disk.
    """
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    kept = [os.dup(1), os.dup(2)]

    def say(line: str) -> None:
        with contextlib.suppress(OSError):
            os.write(log, f"{harmless(line)}\n".encode())

    try:
        for fd in (1, 2):
            os.dup2(log, fd)
        yield say
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        for fd, old in zip((1, 2), kept, strict=True):
            os.dup2(old, fd)
            os.close(old)
        os.close(log)
