"""What a program says about its run, checked: settings, numbers, which run to go on with."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from postertui.runs.events import DamagedEventsError
from postertui.runs.lifecycle import read_lifecycle
from postertui.runs.lock import is_locked
from postertui.runs.run_names import list_runs
from postertui.runs.spec import RunSpec, read_spec
from postertui.study import Variant, variant_fields
from postertui.system.errors import UserError
from postertui.system.text import strip_control_chars


def external_variant(name: str, epochs: int | None, hyperparameters: Mapping[str, Any]) -> Variant:
    """The variant called `name`; nothing is known of it but what the program says.

    Parameters
    ----------
    epochs
        How many the program means to train; None where it does not say.
    hyperparameters
        Values by the names of a variant's fields.

    Raises
    ------
    UserError
        For a name that is no field, or a value that the field does not take.
    """
    base = Variant(
        name=name, family=name, fc1=0, fc2=0, regularizer="none", strength=0.0, epochs=epochs or 0
    )
    if not hyperparameters:
        return base
    # One by one: what goes together in another program is not checked.
    excluded = ("family", "epochs", "schedule")
    fields = {f.name: f for f in variant_fields() if f.name not in excluded}
    if unknown := [key for key in hyperparameters if key not in fields]:
        raise UserError(
            f"hyperparameters: no `{unknown[0]}`; there are {', '.join(sorted(fields))}"
        )
    given = {}
    for key, value in hyperparameters.items():
        try:
            given[key] = fields[key].check(value)
        except ValueError as error:
            raise UserError(f"hyperparameters: {key}: {error}") from None
    return msgspec.structs.replace(base, **given)


def find_interrupted(folder: Path, spec: RunSpec) -> Path | None:
    """The newest interrupted run of a script with the genre, variant and seed of `spec`."""
    if not folder.is_dir():
        return None
    prefix = spec.run.rpartition("--")[0]
    candidates: list[tuple[float, Path]] = []
    for name in list_runs(folder):
        if not name.startswith(prefix):
            continue
        path = folder / name
        try:
            other = read_spec(path)
            is_open = not read_lifecycle(path).is_closed and not is_locked(path)
        except (UserError, OSError, DamagedEventsError):
            continue
        same = (other.genre, other.variant.name, other.seed) == (
            spec.genre, spec.variant.name, spec.seed,
        )  # fmt: skip
        if same and other.is_external and is_open:
            candidates.append((other.created, path))
    return max(candidates)[1] if candidates else None


def to_name(what: str, value: Any) -> str:
    """`value` as a name that is shown. Raises `UserError` where it is none."""
    if not isinstance(value, str):
        raise UserError(f"{what}: a text, not {value!r:.40}")
    name = " ".join(strip_control_chars(value).split())
    if not name:
        raise UserError(f"{what}: is empty")
    return name


def to_whole(what: str, value: Any, *, lowest: int) -> int:
    """`value` as a whole number, Python's or NumPy's. Raises `UserError` where it is none."""
    try:
        number = operator.index(value)
    except TypeError:
        raise UserError(f"{what}: a whole number, not {value!r:.40}") from None
    if number < lowest:
        raise UserError(f"{what}: at least {lowest}, not {number}")
    return number


def to_numbers(metrics: Any) -> dict[str, float]:
    """Metrics by name as floats. Raises `TypeError` where they are none."""
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics are a dictionary of names and numbers, not {metrics!r:.40}")
    numbers = {}
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise TypeError(f"the name of a metric is a text, not {name!r:.40}")
        numbers[name] = to_number(name, value)
    return numbers


def to_number(name: str, value: Any) -> float:
    """`value` as a float: numbers of Python, NumPy and any framework's tensors of one element.

    None is undefined: a script that validates every other epoch has no number for the rest.
    """
    if value is None:
        return math.nan
    if isinstance(value, str | bytes):
        raise TypeError(f"the metric {name!r} is not a number: {value!r:.40}")
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"the metric {name!r} is not a number: {value!r:.40}") from None
