"""The order of the table: sorted, pinned runs first, and grouped with means of like with like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.table.columns import BY_ID, NO_FACTS, RunFacts
from postertui.dashboard.table.group_means import GroupMean

#: Columns by which groups are sorted by their means.
_SCORES = ("newest", "best", "bar", "trend")


@dataclass(frozen=True)
class GroupRow:
    """The head of a group: how many runs it has, and their mean where one is known."""

    title: str
    runs: int
    mean: GroupMean | None = None


TableRow = RunView | GroupRow


def ordered(
    runs: Iterable[RunView],
    options: ViewOptions,
    pinned: AbstractSet[str],
    facts: RunFacts = NO_FACTS,
    means: Mapping[str, GroupMean] | None = None,
) -> list[TableRow]:
    """The rows to show for `runs`; `means` are those of the groups, by title."""
    rows = _by_name(runs)
    if options.reverse or BY_ID.get(options.sort, BY_ID["genre"]).id != "genre":
        _sort(rows, options, facts)
    if pinned:
        rows.sort(key=lambda r: r.name not in pinned)
    if not options.group:
        return [*rows]
    groups: dict[str, list[RunView]] = {}
    for run in rows:
        groups.setdefault(getattr(run, options.group), []).append(run)
    heads = [GroupRow(title, len(members), (means or {}).get(title))
             for title, members in groups.items()]  # fmt: skip
    grouped: list[TableRow] = []
    for head in _ordered_heads(heads, options):
        grouped += [head, *groups[head.title]]
    return grouped


def _by_name(runs: Iterable[RunView]) -> list[RunView]:
    """By genre, variant, seed and folder. Of many runs with few names only those are compared."""
    runs = list(runs)
    genres = _ranks({run.genre for run in runs})
    variants = _ranks({run.variant for run in runs})
    return sorted(runs, key=lambda r: (genres[r.genre], variants[r.variant], r.seed, r.name))


def _ranks(names: Iterable[str]) -> dict[str, int]:
    """The place of each name in their natural order, the same for names that are equal in it."""
    keys = {name: natural_key(name) for name in names}
    places = {key: place for place, key in enumerate(sorted(set(keys.values())))}
    return {name: places[key] for name, key in keys.items()}


def _sort(rows: list[RunView], options: ViewOptions, facts: RunFacts) -> None:
    """Sort by the column of `options`; what is equal there stays in its order."""
    column = BY_ID.get(options.sort, BY_ID["genre"])
    keys = {run.name: column.sort_key(run, facts) for run in rows}
    rows.sort(key=lambda r: keys[r.name], reverse=options.reverse)  # type: ignore[arg-type,return-value]
    if options.reverse:
        # Undefined values stay last whichever way the rest goes.
        rows.sort(key=lambda r: isinstance(k := keys[r.name], tuple) and k[:1] == (True,))


def _ordered_heads(heads: list[GroupRow], options: ViewOptions) -> list[GroupRow]:
    """The groups by what is asked: a score by their means, else as their first runs are."""
    if options.sort in _SCORES:
        sign = -1 if options.reverse else 1
        return sorted(
            heads, key=lambda h: (h.mean is None, sign * h.mean.mean if h.mean is not None else 0)
        )
    if options.sort in ("genre", "variant"):
        return sorted(heads, key=lambda h: natural_key(h.title), reverse=options.reverse)
    return heads
