"""A study's variants and a plan in words: what is to be trained, and how long that takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from postertui.cli.options import print_json
from postertui.cli.streams import print_message
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.runs.store import Store
    from postertui.study import Study
    from postertui.supervisor.plan import TrainingPlan


def print_variants(study: Study, globs: tuple[str, ...], *, as_json: bool) -> None:
    """Print the study's variants on standard output: name, and what differs from base."""
    import msgspec

    chosen = study.select(globs)
    if as_json:
        print_json([msgspec.to_builtins(v) for v in chosen])
        return
    base = msgspec.to_builtins(study.base)
    width = max(len(v.name) for v in chosen)
    for variant in chosen:
        values = msgspec.to_builtins(variant)
        changed = [
            f"{key}={_format_value(value)}"
            for key, value in values.items()
            if key not in ("name", "family", "code") and value != base.get(key)
        ]
        changes = ", ".join(changed) or "the base variant"
        click.echo(f"{variant.name:<{width}}  {changes}")


def print_plan(plan: TrainingPlan, *, retry: bool) -> None:
    """Print what there is to do, on standard error."""
    if plan.rare:
        print_message(
            f"Left out as too rare: {', '.join(plan.rare)} (name them with --genre, or "
            "--all-genres)"
        )
    counts = [
        (len(plan.missing), "new"),
        (len(plan.open), "under way or waiting"),
        (len(plan.done), "done"),
        (len(plan.ended), "failed or cancelled"),
    ]
    parts = ", ".join(f"{count} {what}" for count, what in counts if count)
    print_message(f"{pluralize(len(plan.specs), 'run')}: {parts or 'none'}")
    grouped = [spec for spec in plan.specs if spec.group]
    if grouped:
        trainings = pluralize(len({spec.unit for spec in grouped}), "training")
        print_message(
            f"{len(grouped)} of them share layers with other genres: {trainings} for all of them."
        )
    for note in plan.notes if plan.missing else ():
        print_message(note)
    if plan.ended and not retry:
        print_message(
            "Those that failed or were cancelled are left alone; --retry queues them again."
        )


def print_problems(plan: TrainingPlan, store: Store) -> None:
    """Print which of the plan's runs cannot be read, so that --retry does not help."""
    names = [spec.run for spec in plan.ended if store.runs[spec.run].problem is not None]
    if names:
        print_message(
            f"{len(names)} of them cannot be read: {store.runs[names[0]].damage}; "
            "`postertui doctor` says more"
        )


def print_duration(plan: TrainingPlan, store: Store, jobs: int) -> None:
    """Print how long the new runs take, by the epochs of earlier ones, on standard error."""
    from postertui.cli.progress_views import format_seconds
    from postertui.supervisor.remaining import estimate_new

    seconds = estimate_new(plan.missing, store.runs.values(), jobs)
    if seconds is None:
        print_message("How long they take is not known before a run like each of them was timed.")
    elif plan.missing:
        print_message(f"About {format_seconds(seconds)} with {pluralize(jobs, 'job')}.")


def print_plan_json(plan: TrainingPlan, as_json: bool) -> None:
    """Print the runs of a plan on standard output, where JSON was asked for."""
    if as_json:
        names = ("missing", "open", "done", "ended")
        groups = {name: [s.run for s in getattr(plan, name)] for name in names}
        print_json({"runs": plan.runs, **groups, "rare": plan.rare})
    sys.stderr.flush()


def _format_value(value: object) -> str:
    from postertui.study import describe_entries

    if isinstance(value, dict):
        rest = ", ".join(f"{k} {v}" for k, v in value.items() if k != "kind")
        return f"{value.get('kind')}" + (f" ({rest})" if rest else "")
    if isinstance(value, list | tuple):
        return describe_entries(value)
    return str(value)
