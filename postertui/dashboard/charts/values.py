"""What curves are at an epoch, run by run or as the mean of a setting's seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.number_format import compact, score
from postertui.dashboard.state.arrangement import compared_value
from postertui.dashboard.state.metrics import F_METRICS
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions


def value_text(value: float | None, options: ViewOptions) -> str:
    """A value of the metric that is shown, in few characters; `–` where it is undefined."""
    return score(value) if options.metric in F_METRICS else compact(value)


def value_at(run: RunView, side: str, options: ViewOptions, epoch: int | None) -> float | None:
    """The metric at `epoch`, or at the newest one."""
    if epoch is None:
        return run.newest(options.metric, side)
    return run.at(epoch, options.metric, side)


@dataclass(frozen=True)
class Value:
    """What a curve, or the mean of several, is at an epoch. `group` is its compared value."""

    name: str
    group: str
    test: float | None
    train: float | None


def values_at(runs: Sequence[RunView], options: ViewOptions, epoch: int | None) -> list[Value]:
    """A value for each run, or for the mean of each setting's seeds, in the order of the legend.

    Parameters
    ----------
    epoch
        Whose values; None for each run's newest.
    """
    value_of = compared_value(options.compare)
    settings: dict[tuple[str, str, str], list[RunView]] = {}
    variants: dict[str, set[str]] = {}
    for run in sorted(
        runs, key=lambda r: (natural_key(value_of(r)), natural_key(r.variant), r.seed)
    ):
        settings.setdefault((value_of(run), run.variant, run.study), []).append(run)
        variants.setdefault(value_of(run), set()).add(run.variant)
    rows: list[Value] = []
    for (group, variant, _), members in settings.items():
        is_named_by_variant = options.compare in ("seed", "study") or len(variants[group]) > 1
        name = variant if is_named_by_variant else group
        sides = [[value_at(r, side, options, epoch) for r in members] for side in ("test", "train")]
        if options.seeds == "mean" and len(members) > 1:
            rows.append(Value(f"{name} ×{len(members)}", group, *map(mean_of, sides)))
            continue
        for run, test, train in zip(members, *sides, strict=True):
            has_seed = len(members) > 1 or options.compare == "seed"
            rows.append(Value(f"{name} s{run.seed}" if has_seed else name, group, test, train))
    return rows


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean of what is defined."""
    finite = [v for v in values if v is not None]
    return sum(finite) / len(finite) if finite else None
