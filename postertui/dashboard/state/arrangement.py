"""Which runs share a cell of the grid: a genre a row, a compared value a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions

Key = tuple[str, str]  # genre, value of the compared column ("" when overlaid)

_VALUES: dict[str, Callable[[RunView], str]] = {
    "variant": lambda run: run.variant,
    "regularizer": lambda run: run.regularizer,
    "fc": lambda run: run.fc,
    "family": lambda run: run.family,
    "seed": lambda run: f"seed {run.seed}",
    "study": lambda run: run.study,
}


def compared_value(column: str) -> Callable[[RunView], str]:
    """How to read the compared `column` (a key of `COMPARED`) of a run."""
    return _VALUES[column]


def cell_of(run: RunView, options: ViewOptions) -> Key:
    """The cell that a run's curve is in."""
    is_faceted = options.mode == "facet"
    return run.genre, compared_value(options.compare)(run) if is_faceted else ""


@dataclass(frozen=True)
class Arrangement:
    """Rows and columns of the grid, the runs' names in each cell, and the compared values."""

    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    members: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)

    def key(self, row: int, column: int) -> Key:
        return self.rows[row], self.columns[column]


def arrange(runs: Iterable[RunView], options: ViewOptions) -> Arrangement:
    """The grid for `runs`: a genre a row, and a compared value a column unless overlaid.

    Genres of which no finished epoch defines the metric come last.
    """
    value_of = compared_value(options.compare)
    members: dict[Key, list[str]] = {}
    genres: dict[str, list[RunView]] = {}
    groups: set[str] = set()
    for run in runs:
        genres.setdefault(run.genre, []).append(run)
        groups.add(value_of(run))
        members.setdefault(cell_of(run, options), []).append(run.name)
    ordered = tuple(sorted(groups, key=natural_key))
    return Arrangement(
        rows=tuple(
            sorted(genres, key=lambda g: (_is_undefined(genres[g], options.metric), natural_key(g)))
        ),
        columns=ordered if options.mode == "facet" else (("",) if genres else ()),
        groups=ordered,
        members={key: tuple(sorted(names)) for key, names in members.items()},
    )


def _is_undefined(runs: Iterable[RunView], metric: str) -> bool:
    """Whether some of `runs` have epochs, and none of them defines the metric."""
    begun = [run for run in runs if run.epoch]
    return bool(begun) and all(run.column("test", metric) is None for run in begun)
