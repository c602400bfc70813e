"""A log's metrics by epoch, and the confusion counts behind them."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postertui.published.literals import MAX_BYTES, parse_literal
from postertui.published.log_names import LogName, parse_name
from postertui.published.unreadable import UnreadableLogError

#: What Keras called a metric, with or without `val_` before it, to the history table's name.
_METRICS = {
    "loss": "loss",
    "binary_accuracy": "accuracy",
    "accuracy": "accuracy",
    "acc": "accuracy",
    "fscore": "fscore",
}
_SIDES = {"": "train", "val_": "test"}
_REQUIRED = tuple(f"{p}{k}" for p in _SIDES for k in ("loss", "binary_accuracy", "fscore"))


@dataclass(frozen=True)
class Log:
    """One log. `metrics` are lists over epochs, and `counts` the final model's confusion counts.

    Both are under the history table's names; an undefined metric is NaN.
    """

    path: Path
    name: LogName
    metrics: Mapping[str, list[float]]
    counts: Mapping[str, int]

    @property
    def epochs(self) -> int:
        return len(self.metrics["train_loss"])


def read_log(path: Path) -> Log:
    """The log at `path`. Raises `UnreadableLogError` where its name or content is not one's."""
    name = parse_name(path.name)
    metrics, counts = parse_log(_read_text(path))
    return Log(path, name, metrics, counts)


def parse_log(text: str) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Metrics by epoch and final confusion counts from a log's text.

    The counts are true and false positives and negatives in the order TP TN FP FN, which follows
    from the precision and recall below them. Their second line is of the test cohort, though 2017
    called both `Train`. Raises `UnreadableLogError` where the text is none of a log's.
    """
    end = _end_of_dictionary(text)
    history = _parse_dictionary(text[:end])
    metrics = {}
    for prefix, side in _SIDES.items():
        for key, metric in _METRICS.items():
            if f"{prefix}{key}" in history:
                metrics[f"{side}_{metric}"] = _numbers(f"{prefix}{key}", history)
    if "lr" in history:
        metrics["learning_rate"] = _numbers("lr", history)
    for key in _REQUIRED:
        prefix = "val_" if key.startswith("val_") else ""
        if f"{_SIDES[prefix]}_{_METRICS[key.removeprefix(prefix)]}" not in metrics:
            raise UnreadableLogError(f"has no `{key}`")
    lengths = {name: len(values) for name, values in metrics.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UnreadableLogError(f"its metrics differ in their number of epochs: {told}")
    if not lengths["train_loss"]:
        raise UnreadableLogError("has no epoch")
    return metrics, _counts(text, end)


def _read_text(path: Path) -> str:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableLogError("not a regular file")
        if about.st_size > MAX_BYTES:
            raise UnreadableLogError(f"larger than {MAX_BYTES:,} bytes")
        # Without waiting, should a pipe have taken the file's place.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableLogError(error.strerror or str(error)) from None
    if not data.strip():
        raise UnreadableLogError("is empty")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableLogError(f"not text (byte {error.start})") from None


def _end_of_dictionary(text: str) -> int:
    """Where the dictionary that `text` begins with ends."""
    if not text.lstrip().startswith("{"):
        raise UnreadableLogError("line 1: does not begin with a dictionary")
    depth, quote = 0, ""
    for found in re.finditer(r"""[][{}()'"]|\\.""", text):
        mark = found[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in "[{(":
            depth += 1
        elif mark in "]})":
            depth -= 1
            if depth == 0:
                return found.end()
    raise UnreadableLogError("cut off: its dictionary is not closed")


def _parse_dictionary(text: str) -> dict[Any, Any]:
    value = parse_literal(text)
    if not isinstance(value, dict):
        raise UnreadableLogError("does not begin with a dictionary")
    return value


def _numbers(key: str, history: Mapping[str, Any]) -> list[float]:
    values = history[key]
    if not isinstance(values, list) or not all(isinstance(v, float) for v in values):
        raise UnreadableLogError(f"`{key}` is not a list of numbers")
    # What is infinite is as undefined as NaN in a history table.
    return [v if math.isfinite(v) else math.nan for v in values]


_COUNTS = re.compile(r"\w+ conf matrix:\s*(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})")
_SCORES = re.compile(r"\w+ p r f:(\s+(\d+(\.\d*)?(e[-+]?\d+)?|nan)){3}")
_CELLS = ("tp", "tn", "fp", "fn")


def _counts(text: str, start: int) -> dict[str, int]:
    """The confusion counts in what follows the dictionary, which ends at `start`."""
    counts: dict[str, int] = {}
    sides = ["test", "train"]
    for number, raw in enumerate(text[start:].splitlines(), text.count("\n", 0, start) + 1):
        line = raw.strip()
        if not line or _SCORES.fullmatch(line):
            continue
        found = _COUNTS.fullmatch(line)
        if found is None or not sides:
            shown = f"`{line[:40]}`" if line.isprintable() else "it"
            raise UnreadableLogError(f"line {number}: {shown} is not confusion counts")
        side = sides.pop()
        counts |= {f"{side}_{c}": int(v) for c, v in zip(_CELLS, found.groups(), strict=True)}
    return counts
