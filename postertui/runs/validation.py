"""What a run's spec and events may hold: the bounds that every other module relies on.

They are checked once, when a run is read. Beyond them lie numbers whose squares are infinite, times
that no calendar has, counts that no column of integers can hold. A field that this version does
not know is not checked.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal

import msgspec

from postertui.runs.bounds import (
    FORMAT_VERSION,
    MAX_COUNT,
    MAX_EPOCHS,
    MAX_NUMBER,
    MAX_TEXT,
    MAX_TIME,
    AttemptNumber,
    Count,
    EpochNumber,
    Number,
    Text,
    Time,
)
from postertui.runs.epoch_line import EpochLine
from postertui.system.version import __version__


class _AnyEvent(msgspec.Struct):
    event: Text
    attempt: AttemptNumber
    v: Count = FORMAT_VERSION
    seq: Count = 0
    time: Time = 0.0


class _Start(_AnyEvent):
    from_epoch: EpochNumber = 1
    device: Text | None = None
    host: Text | None = None
    boot: Text | None = None
    pid: Count | None = None
    started: Count | None = None


class _Features(_AnyEvent):
    cohort: Count = 0
    done: Count = 0
    total: Count = 0


class _KeptWeights(msgspec.Struct):
    digest: Text
    bytes: Count
    epoch: EpochNumber


class _End(_AnyEvent):
    status: Literal["done", "failed", "cancelled", "interrupted"] = "failed"
    reason: Text | None = None
    fault: bool | None = None
    cause: Text | None = None
    log: list[Text] | None = None
    weights: _KeptWeights | None = None
    predict_seconds: Number | None = None


_TYPES: dict[str, Any] = {"start": _Start, "features": _Features, "end": _End}


def check_event(event: dict[str, Any]) -> None:
    """Raise `ValueError`, saying which field, where `event` is not one that can be relied on."""
    kind = event.get("event")
    msgspec.convert(event, _AnyEvent)
    if kind == "epoch":
        msgspec.convert(event, EpochLine)
    elif kind == "end" and "status" not in event:
        raise ValueError("Object missing required field `status`")
    elif isinstance(kind, str) and kind in _TYPES:
        msgspec.convert(event, _TYPES[kind])


def check_spec(spec: msgspec.Struct) -> None:
    """Raise `ValueError`, saying which field, where a `RunSpec` holds what no run can have."""
    values = {name: getattr(spec, name) for name in spec.__struct_fields__}
    for name, value in values.items():
        if isinstance(value, msgspec.Struct):
            _check_part(value)
        elif isinstance(value, dict):
            _check_part(tuple(value.items()))
        else:
            _check_value(value, name)
    for name in ("train_base_rate", "test_base_rate", "val_base_rate"):
        rate = values.get(name)
        if rate is not None and not 0 <= rate <= 1:
            raise ValueError(f"{name}: {rate:g} is not a share of posters")
    if not 0 <= values["created"] <= MAX_TIME:
        raise ValueError(f"created: {values['created']:g} is not a time")
    for name, cohorts in values.items():
        if name.endswith("_cohorts") and not all(0 <= digit <= 9 for digit in cohorts):
            raise ValueError(f"{name}: a cohort is a digit")
    group = values["group"]
    if group and (list(group) != sorted(set(group)) or values["genre"] not in group):
        raise ValueError("group: not the sorted genres of which the run's is one")
    for name in ("epochs", "batch_size"):
        number = getattr(values["variant"], name)
        if not 0 <= number <= MAX_EPOCHS:
            raise ValueError(f"{name}: {number} is out of range")


@lru_cache(maxsize=4096)
def _check_part(part: Any) -> None:
    """Check what thousands of runs have in common once: their variant, weights, versions."""
    _check_value(msgspec.to_builtins(part), "")


def _check_value(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_value(key, where or "a key")
            _check_value(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_value(item, where)
    elif isinstance(value, str):
        if len(value) > MAX_TEXT or "\0" in value:
            raise ValueError(f"{where}: a text that is too long, or holds a NUL")
    elif isinstance(value, int | float) and not (
        abs(value) <= (MAX_COUNT if isinstance(value, int) else MAX_NUMBER) and math.isfinite(value)
    ):
        raise ValueError(f"{where}: a number out of range")


def is_newer_version(version: str) -> bool:
    """Whether `version` of postertui is newer than the one that runs; False where unclear."""
    theirs, ours = _version_numbers(version), _version_numbers(__version__)
    return theirs is not None and ours is not None and theirs > ours


def _version_numbers(version: str) -> tuple[int, ...] | None:
    parts = version.split("+")[0].split(".")
    numbers = tuple(int(part) for part in parts if part.isdecimal() and len(part) < 10)
    return numbers if len(numbers) == len(parts) else None
