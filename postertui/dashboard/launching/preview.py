"""What a draft would start: how many runs, for how long, and what is done already."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postertui.dashboard.launching.draft import LaunchDraft
from postertui.dashboard.number_format import duration
from postertui.data.weight_choices import WeightChoices
from postertui.data.weights import Weights
from postertui.runs.spec import RunSpec
from postertui.supervisor import plan as launch
from postertui.supervisor.durations import Durations
from postertui.supervisor.remaining import estimate
from postertui.supervisor.run_progress import progress_of, progress_of_spec
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset
    from postertui.runs.store import Run


#: A difference of F worth seeing, for which the form says how many seeds it takes.
TARGET = 0.02


@dataclass(frozen=True)
class LaunchPreview:
    """A plan and how long it takes: `seconds` for its own runs, `ahead` for those that wait.

    None where an epoch like some of theirs was never timed.
    """

    plan: launch.TrainingPlan
    starting: tuple[RunSpec, ...]
    seconds: float | None
    ahead: float | None
    jobs: int
    detectable: float | None = None
    seeds_needed: int | None = None
    again: bool = False


def preview_launch(
    draft: LaunchDraft,
    dataset: Dataset,
    weights: WeightChoices | Weights,
    runs: Mapping[str, Run],
    slots: int,
) -> LaunchPreview:
    """What `draft` would start beside the `runs` that there are; nothing is written.

    Parameters
    ----------
    draft
        The form's choices.
    weights
        Of the frozen network, or of each.
    runs
        By name.
    slots
        How many runs the machine trains at a time, unless the draft says.

    Raises
    ------
    UserError
        For a study that the data cannot serve.
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
    progress = [progress_of(run) for run in runs.values()]
    durations, now = Durations(progress), time.time()
    new = [progress_of_spec(spec) for spec in starting]
    detectable, needed = _power(plan, runs)
    return LaunchPreview(
        plan=plan,
        starting=starting,
        seconds=estimate(new, durations, jobs, now),
        ahead=estimate(progress, durations, jobs, now),
        jobs=jobs,
        again=draft.again,
        detectable=detectable,
        seeds_needed=needed,
    )


def _power(plan: launch.TrainingPlan, runs: Mapping[str, Run]) -> tuple[float | None, int | None]:
    """Which difference the plan's seeds would see, and how many would see `TARGET`.

    Between two variants, by past runs' noise, in the mean over the plan's genres, with a power of
    80 %. None where the noise is unknown.
    """
    from postertui.analysis.noise import estimate_noise
    from postertui.analysis.planning import (
        Question,
        detectable_difference,
        genre_variances,
        seeds_needed,
    )
    from postertui.analysis.values import run_values
    from postertui.history.from_runs import history_table

    genres = sorted({spec.genre for spec in plan.specs})
    seeds = len({spec.seed for spec in plan.specs})
    past = [r for r in runs.values() if r.spec is not None and r.spec.genre in genres and r.epoch]
    table = history_table(past)
    if table.is_empty():
        return None, None
    noise = estimate_noise(run_values(table, "test_fscore_soft"), {})
    variances = list(genre_variances(noise, genres).values())
    if not noise.is_known or len(variances) < len(genres):
        return None, None
    comparisons = max(1, len({spec.variant.name for spec in plan.specs}) - 1)
    needed = seeds_needed(Question(TARGET, comparisons=comparisons), variances)
    if seeds < 2:
        return None, needed
    return detectable_difference(variances, seeds, comparisons=comparisons), needed


Line = tuple[tuple[str, str], ...]  # (text, name of its style) each


def preview_lines(preview: LaunchPreview) -> tuple[Line, Line]:
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
        return tuple(first), (
            ("how long: not known before runs like these have finished epochs", "dim"),
        )
    second = [
        (f"about {duration(preview.seconds)}", "bold"),
        (f" by past runs, {preview.jobs} at a time", "text"),
    ]
    if preview.detectable is not None:
        second.append((f", sees differences of {preview.detectable:.3f}", "text"))
    if preview.seeds_needed is not None:
        second.append((f", {TARGET:g} takes {pluralize(preview.seeds_needed, 'seed')}", "text"))
    if preview.ahead:
        second.append((f", after {duration(preview.ahead)} that wait or run", "dim"))
    return tuple(first), tuple(second)
