"""What a draft would start: how many runs, for how long, and what is done already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postertui.dashboard.launching.draft import LaunchDraft
from postertui.dashboard.number_format import duration
from postertui.data.weights import Weights
from postertui.runs.spec import RunSpec
from postertui.supervisor import plan as launch

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset
    from postertui.runs.store import Run


@dataclass(frozen=True)
class LaunchPreview:
    """A plan and how long it takes: `seconds` for its own runs, `ahead` for those that wait.

    None where no run has measured how long an epoch takes.
    """

    plan: launch.TrainingPlan
    starting: tuple[RunSpec, ...]
    seconds: float | None
    ahead: float | None
    jobs: int
    again: bool = False


def preview_launch(
    draft: LaunchDraft, dataset: Dataset, weights: Weights, runs: Mapping[str, Run], slots: int
) -> LaunchPreview:
    """What `draft` would start beside the `runs` that there are; nothing is written.

    `slots` is how many runs the machine trains at a time unless the draft says. Raises
    `UserError` for a study that the data cannot serve.
    """
    numbers = draft.numbers
    plan = launch.plan(
        draft.study,
        dataset,
        weights,
        {name: run.state for name, run in runs.items()},
        variants=draft.variants,
        genres=draft.genres,
        seeds=numbers.seeds,
        epochs=numbers.epochs,
    )
    starting = plan.missing + (plan.ended if draft.again else ())
    jobs = numbers.jobs or slots
    waiting = [
        run.spec
        for run in runs.values()
        if run.spec is not None and run.state in ("queued", "running", "interrupted")
    ]
    return LaunchPreview(
        plan=plan,
        starting=starting,
        seconds=launch.estimate_seconds(starting, runs.values(), jobs),
        ahead=launch.estimate_seconds(waiting, runs.values(), jobs) if waiting else 0.0,
        jobs=jobs,
        again=draft.again,
    )


Line = tuple[tuple[str, str], ...]  # (text, name of its style) each


def describe(preview: LaunchPreview) -> tuple[Line, Line]:
    """Two lines: how many runs and what there is of them; how long the new ones take."""
    plan = preview.plan
    total = len(plan.specs)
    first: list[tuple[str, str]] = [
        (f"{len(preview.starting)} to start", "bold" if preview.starting else "dim"),
        (f" of {total} run{'s' * (total != 1)}", "text"),
    ]
    groups = [
        (len(plan.done), "done", "done"),
        (len(plan.open), "under way or waiting", "running"),
        (len(plan.ended), "to train again" if preview.again else "failed or cancelled", "failed"),
    ]
    for count, words, style in groups:
        if count:
            first.append((f"  {count} {words}", style))
    if not preview.starting:
        return tuple(first), (("nothing is missing", "dim"),)
    if preview.seconds is None:
        return tuple(first), (("no finished epoch yet from which to estimate the time", "dim"),)
    second = [
        (f"about {duration(preview.seconds)}", "bold"),
        (f" by past runs, {preview.jobs} at a time", "text"),
    ]
    if preview.ahead:
        second.append((f", after {duration(preview.ahead)} that wait or run", "dim"))
    return tuple(first), tuple(second)
