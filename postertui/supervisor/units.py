"""Units of work: a run by itself, or the runs of a group, whose genres are trained together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from postertui.runs.run_names import is_run_name
from postertui.runs.spec import RunSpec, read_spec
from postertui.system.errors import UserError


def unit_of(spec: RunSpec) -> str:
    """The unit of a run of a group; empty for a run that is trained by itself."""
    return spec.unit if spec.group else ""


def read_unit(run_folder: Path) -> str:
    """`unit_of` the run in a folder; empty where its spec cannot be read."""
    try:
        return unit_of(read_spec(run_folder))
    except (UserError, OSError):
        return ""


def with_groups(folder: Path, runs: Iterable[str]) -> list[str]:
    """`runs` and those that are trained together with one of them, as far as they are there."""
    names = dict.fromkeys(runs)
    for run in list(names):
        if not is_run_name(run):
            continue
        try:
            spec = read_spec(folder / run)
        except (UserError, OSError):
            continue
        if spec.group:
            members = (member.run for member in spec.members)
            names |= dict.fromkeys(name for name in members if (folder / name).is_dir())
    return list(names)


def groups_among(folder: Path, runs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each of `runs` that belongs to a group, those of `runs` that do."""
    units: dict[str, list[str]] = {}
    for run in runs:
        if unit := read_unit(folder / run):
            units.setdefault(unit, []).append(run)
    return {run: tuple(members) for members in units.values() for run in members}
