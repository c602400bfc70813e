"""The run's log: all that the process prints while it trains, and a line for each epoch."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from postertui.runs.spec import RunSpec
from postertui.system.regular_files import open_regular
from postertui.system.text import strip_control_chars, to_single_line


def attempt_line(spec: RunSpec, attempt: int, first_epoch: int, device: str) -> str:
    """The first line: `attempt 2 on cpu: Comedy, base, seed 0, from epoch 8 of 10`."""
    what = to_single_line(f"{spec.genre}, {spec.variant.name}, seed {spec.seed}")
    epochs = f"from epoch {first_epoch} of {spec.variant.epochs}"
    return f"attempt {attempt} on {device}: {what}, {epochs}"


def epoch_line(epoch: int, epochs: int, metrics: Mapping[str, Any]) -> str:
    """One epoch as a line of the log; all of its numbers are in the run's events.

    `F` is the soft F-score of the whole cohort, or the mean of its batches where that is all.
    """
    parts = [f"epoch {epoch:>{len(str(epochs))}}/{epochs}"]
    for cohort in ("train", "test"):
        loss = metrics.get(f"{cohort}_loss")
        score = metrics.get(f"{cohort}_fscore_soft", metrics.get(f"{cohort}_fscore"))
        parts.append(f"{cohort} loss {_number(loss)} F {_number(score)}")
    if isinstance(seconds := metrics.get("seconds"), int | float):
        parts.append(f"{seconds:.3f} s")
    if metrics.get("dead"):
        parts.append("dead: its weights are NaN")
    return "  ".join(parts)


def end_line(status: str, reason: str) -> str:
    """How the attempt ended, and why where that adds something: `interrupted: held`."""
    return f"{status}: {reason}" if reason not in ("", status) else status


def _number(value: Any) -> str:
    if isinstance(value, int | float) and math.isfinite(value):
        return f"{value:.4f}"
    return "undefined"


def now() -> str:
    """The time here, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S%z")


@contextlib.contextmanager
def log_lines(path: Path) -> Iterator[Callable[[str], None]]:
    """Open the run's log; yields a function that writes a line there.

    A line for which the disk has no room is left out; the events record that the disk is full.
    """
    with _open_log(path) as log:
        yield partial(_write_line, log)


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[Callable[[str], None]]:
    """As `log_lines`, and redirect all that the process prints there, from C too."""
    with _open_log(path) as log:
        originals = [os.dup(1), os.dup(2)]
        try:
            for standard in (1, 2):
                os.dup2(log.fileno(), standard)
            yield partial(_write_line, log)
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            for standard, original in zip((1, 2), originals, strict=True):
                os.dup2(original, standard)
                os.close(original)


def _open_log(path: Path) -> BinaryIO:
    fd = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return os.fdopen(fd, "ab", buffering=0)


def _write_line(log: BinaryIO, line: str) -> None:
    # Another thread may write while the process exits and the log is closed.
    with contextlib.suppress(OSError, ValueError):
        log.write(f"{strip_control_chars(line)}\n".encode())
