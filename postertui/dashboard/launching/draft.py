"""The launch form's values, checked, and its defaults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from postertui.study import Study, Variant, builtin_studies, describe_entries, load_study
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.runs.store import Run

MOST_SEEDS, MOST_EPOCHS, MOST_JOBS = 1000, 100_000, 64


@dataclass(frozen=True)
class LaunchNumbers:
    """The form's numbers; None where the study or the machine decides."""

    seeds: int
    epochs: int | None = None
    jobs: int | None = None


@dataclass(frozen=True)
class LaunchDraft:
    """What the form asks for. `weights` as `--weights` takes it; `again` adds ended runs."""

    study: Study
    variants: tuple[Variant, ...]
    genres: tuple[str, ...]
    numbers: LaunchNumbers
    weights: str = "imagenet"
    again: bool = False


def whole_number(text: str, most: int, *, what: str) -> int | None:
    """A number from 1 to `most`, None for an empty text. Raises `ValueError`."""
    stripped = text.strip()
    if not stripped:
        return None
    if not (stripped.isascii() and stripped.isdigit()) or not 1 <= int(stripped[:9]) <= most:
        raise ValueError(f"{what}: a whole number from 1 to {most}")
    return int(stripped)


def check_numbers(seeds: str, epochs: str, jobs: str, study: Study) -> LaunchNumbers:
    """The three numbers as typed. Raises `ValueError` naming the first that is none."""
    return LaunchNumbers(
        seeds=whole_number(seeds, MOST_SEEDS, what="seeds") or study.seeds,
        epochs=whole_number(epochs, MOST_EPOCHS, what="epochs"),
        jobs=whole_number(jobs, MOST_JOBS, what="at a time"),
    )


def find_studies(folder: Path, named: str) -> dict[str, Study]:
    """The studies to choose from by what selects them: `named`, the built-in ones, files here.

    A file that is no study is left out, unless it is `named`: then its error is raised.
    """
    studies: dict[str, Study] = {named: load_study(named)}
    for name in builtin_studies():
        studies.setdefault(name, load_study(name))
    for path in sorted(folder.glob("*.toml")):
        try:
            study = load_study(path)
        except UserError:
            continue
        studies.setdefault(path.name, study)
    return studies


def usual_study(runs: Iterable[Run], studies: dict[str, Study], named: str) -> str:
    """The study to start with: the newest run's where it is at hand, or else `named`."""
    newest = _newest(runs)
    if newest is not None and newest.spec is not None:
        for key, study in studies.items():
            if study.name == newest.spec.study:
                return key
    return named


def usual_weights(runs: Iterable[Run]) -> str:
    """The newest run's weights, so that what is done counts as done; else ImageNet's."""
    newest = _newest(runs)
    if newest is None or newest.spec is None:
        return "imagenet"
    weights, network = newest.spec.weights, newest.spec.variant.backbone_name
    if weights.kind != "file":
        return weights.kind
    path = weights.path or "file"
    return path if network in ("vgg16", "scratch") else f"{network}={path}"


def _newest(runs: Iterable[Run]) -> Run | None:
    dated_runs = [run for run in runs if run.spec is not None and run.spec.created]
    return max(dated_runs, key=lambda run: run.spec.created if run.spec else 0.0, default=None)


def what_differs(variant: Variant, base: Variant) -> str:
    """What `variant` changes about `base`: `regularizer l2, strength 0.0001`."""
    values, base_values = msgspec.to_builtins(variant), msgspec.to_builtins(base)
    changed = [
        f"{key.replace('_', ' ')} {_brief(value)}"
        for key, value in values.items()
        if key not in ("name", "family", "code") and value != base_values.get(key)
    ]
    return ", ".join(changed) or "the base variant"


def _brief(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("kind"))
    if isinstance(value, list | tuple):
        return describe_entries(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
