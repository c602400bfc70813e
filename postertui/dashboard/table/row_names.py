"""Names of rows that distinguish runs, also where they are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.text_width import cut_middle

#: What distinguishes runs of one genre, variant and seed, in the order in which it is tried.
_DIFFERENCES: tuple[Callable[[RunView], str], ...] = (
    lambda run: run.study,
    lambda run: run.regularizer,
    lambda run: run.fc,
    lambda run: run.family,
)


def variant_names(runs: Iterable[RunView]) -> dict[str, str]:
    """Of runs whose variant's name is another's of their genre and seed, too: it and what differs.

    By the run's name.
    """
    first: dict[tuple[str, str, int], RunView] = {}
    alike: dict[tuple[str, str, int], list[RunView]] = {}
    for run in runs:
        setting = (run.genre, run.variant, run.seed)
        if (other := first.setdefault(setting, run)) is not run:
            alike.setdefault(setting, [other]).append(run)
    return {
        run.name: f"{run.variant} {detail}"
        for members in alike.values()
        for run, detail in zip(members, _details(members), strict=True)
    }


def _details(runs: Sequence[RunView]) -> list[str]:
    """What differs between `runs`, or their numbers in the order of their folders' names."""
    for difference in _DIFFERENCES:
        details = [difference(run) for run in runs]
        if len(set(details)) == len(runs):
            return details
    order = sorted(run.name for run in runs)
    return [f"#{order.index(run.name) + 1}" for run in runs]


def distinct_cuts(names: Iterable[str], width: int) -> dict[str, str]:
    """By name what is shown of it in `width` characters: cut in its middle, no two alike."""
    cuts: dict[str, str] = {}
    used: set[str] = set()
    for name in sorted(set(names), key=len):
        shown = cut_middle(name, width)
        for tail in range(1, width - 1):
            if shown not in used:
                break
            shown = f"{name[: width - 1 - tail]}…{name[-tail:]}"
        cuts[name] = shown
        used.add(shown)
    return cuts
