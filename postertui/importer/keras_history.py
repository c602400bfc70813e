"""A Keras `History` in a file: printed, with or without the confusion counts of 2017, or JSON."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from postertui.importer.foreign import ForeignHistory, printable
from postertui.importer.literals import MAX_BYTES, parse_literal
from postertui.published.log_names import parse_name
from postertui.published.unreadable import UnreadableLogError

#: A tensor as TensorFlow prints it, with its value at the end.
_TENSOR = re.compile(r"<tf\.Tensor:[^<>]*numpy=([^<>]*)>")

#: Keys around a history's metrics.
_EPOCH_KEYS = ("epoch", "epochs")


def read_keras_history(path: Path) -> ForeignHistory:
    """The history in a text or JSON file.

    A file called as those of 2017 has its setting in its name. Raises `UnreadableLogError` where
    the content is no history's.
    """
    text = _read_text(path)
    is_json = path.suffix.lower() == ".json"
    name, problem = None, ""
    try:
        name = parse_name(f"{path.name[:-5]}.txt" if is_json else path.name)
    except UnreadableLogError as error:
        problem = str(error)
    counts: dict[str, int] = {}
    if is_json:
        lists = _json_lists(text)
    else:
        text = _TENSOR.sub(r"\1", text)
        end = _end_of_dictionary(text)
        lists, counts = _parse_dictionary(text[:end]), _counts(text, end)
    metrics = _metric_lists(lists)
    unused = [
        key for key, values in lists.items() if isinstance(values, list) and key not in metrics
    ]
    epochs = [-1 if math.isnan(e) else int(e) for e in metrics.pop("epoch", [])]
    count = len(next(iter(metrics.values()), []))
    if len(epochs) != count or epochs != sorted(set(epochs)) or min(epochs, default=0) < 0:
        epochs = list(range(1, count + 1))
    elif epochs and epochs[0] == 0:
        epochs = [e + 1 for e in epochs]
    return ForeignHistory(
        path,
        printable(path),
        epochs,
        metrics,
        name=name,
        counts=counts,
        problem=problem,
        unused=unused,
    )


def _json_lists(text: str) -> dict[Any, Any]:
    """The lists by name of a JSON history, which may have them as one object an epoch."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise UnreadableLogError("nested too deep") from None
    except ValueError as error:
        raise UnreadableLogError(f"not JSON ({str(error)[:80]})") from None
    for key in ("history", "log_history"):
        if isinstance(value, dict) and isinstance(value.get(key), dict | list):
            value = value[key]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        items = _one_object_an_epoch(value)
        names = dict.fromkeys(name for item in items for name in item)
        value = {name: [item.get(name) for item in items] for name in names}
    if not isinstance(value, dict):
        raise UnreadableLogError("not a history: neither lists by name nor an object an epoch")
    return value


def _one_object_an_epoch(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects of each epoch as one; what several of them say is as the last one says.

    Hugging Face's trainer writes an object at each step that it logs and one at each evaluation,
    with epochs that are fractions.
    """
    if not any("epoch" in item for item in items):
        return items
    merged: dict[int, dict[str, Any]] = {}
    for number, item in enumerate(items, 1):
        epoch = item.get("epoch")
        if not isinstance(epoch, int | float) or not 0 <= epoch < 2**53:
            raise UnreadableLogError(f"object {number} has no epoch, as others have")
        whole = math.ceil(epoch)
        merged.setdefault(whole, {}).update({**item, "epoch": whole})
    return list(merged.values())


def _metric_lists(history: Mapping[Any, Any]) -> dict[str, list[float]]:
    """The lists of numbers in a dictionary, all of one length; others are passed over.

    Raises `UnreadableLogError` where there is none, or their lengths differ.
    """
    metrics = {}
    for name, values in history.items():
        if isinstance(values, list) and values and isinstance(name, str):
            numbers = [_number(value) for value in values]
            if all(number is not None for number in numbers):
                metrics[name] = [float(n) for n in numbers if n is not None]
    if not metrics:
        empty = any(isinstance(values, list) and not values for values in history.values())
        raise UnreadableLogError("has no epoch" if empty else "has no list of numbers")
    lengths = {name: len(values) for name, values in metrics.items() if name not in _EPOCH_KEYS}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in list(lengths.items())[:8])
        raise UnreadableLogError(f"its metrics differ in their number of epochs: {shown}")
    return metrics


def _number(value: Any) -> float | None:
    """A number, or a list of one; NaN for null. What is infinite is as undefined as NaN."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return math.nan
    if isinstance(value, bool | int | float):
        return float(value) if math.isfinite(value) else math.nan
    return None


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
    for match in re.finditer(r"""[][{}()'"]|\\.""", text):
        mark = match[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in "[{(":
            depth += 1
        elif mark in "]})":
            depth -= 1
            if depth == 0:
                return match.end()
    raise UnreadableLogError("cut off: its dictionary is not closed")


def _parse_dictionary(text: str) -> dict[Any, Any]:
    value = parse_literal(text)
    if not isinstance(value, dict):
        raise UnreadableLogError("does not begin with a dictionary")
    return value


_COUNTS = re.compile(r"\w+ conf matrix:\s*(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})")
_SCORES = re.compile(r"\w+ p r f:(\s+(\d+(\.\d*)?(e[-+]?\d+)?|nan)){3}")
_CELLS = ("tp", "tn", "fp", "fn")


def _counts(text: str, start: int) -> dict[str, int]:
    """The confusion counts in what follows the dictionary, which ends at `start`.

    They are true and false positives and negatives in the order TP TN FP FN, which follows from the
    precision and recall below them. Their second line is of the test cohort, though 2017 called
    both `Train`.
    """
    counts: dict[str, int] = {}
    sides = ["test", "train"]
    for number, raw in enumerate(text[start:].splitlines(), text.count("\n", 0, start) + 1):
        line = raw.strip()
        if not line or _SCORES.fullmatch(line):
            continue
        match = _COUNTS.fullmatch(line)
        if match is None or not sides:
            shown = f"`{line[:40]}`" if line.isprintable() else "it"
            raise UnreadableLogError(f"line {number}: {shown} is not confusion counts")
        side = sides.pop()
        counts |= {f"{side}_{c}": int(v) for c, v in zip(_CELLS, match.groups(), strict=True)}
    return counts
