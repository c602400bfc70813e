"""The order of the table: sorted, pinned runs first, and grouped with mean ± sd."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.table.columns import BY_ID


@dataclass(frozen=True)
class GroupRow:
    """The head of a group: how many runs it has, and mean ± sd of their newest test F."""

    title: str
    runs: int
    mean: float | None
    sd: float | None


TableRow = RunView | GroupRow


def ordered(
    runs: Iterable[RunView],
    options: ViewOptions,
    pinned: AbstractSet[str],
    verdict_of: Callable[[RunView], str] = lambda _: "",
) -> list[TableRow]:
    """The rows to show for `runs`."""
    column = BY_ID.get(options.sort, BY_ID["genre"])
    by_name = sorted(runs, key=lambda r: (natural_key(r.genre), natural_key(r.variant), r.seed))
    key = column.key
    if column.id == "bar":
        order = ("above", "unclear", "below", "")
        key = lambda r: order.index(verdict_of(r))  # noqa: E731
    rows = sorted(by_name, key=key, reverse=options.reverse)  # type: ignore[arg-type]
    if options.reverse:
        # Undefined values stay last whichever way the rest goes.
        rows.sort(key=lambda r: isinstance(k := column.key(r), tuple) and k[:1] == (True,))
    rows.sort(key=lambda r: r.name not in pinned)
    if not options.group:
        return list(rows)
    groups: dict[str, list[RunView]] = {}
    for run in rows:
        groups.setdefault(getattr(run, options.group), []).append(run)
    grouped: list[TableRow] = []
    for title in sorted(groups, key=natural_key):
        grouped.append(summary(title, groups[title]))
        grouped.extend(groups[title])
    return grouped


def summary(title: str, runs: list[RunView]) -> GroupRow:
    """Mean and sample sd of the newest test F of `runs`."""
    values = [v for r in runs if (v := r.newest()) is not None]
    if not values:
        return GroupRow(title, len(runs), None, None)
    mean = sum(values) / len(values)
    if len(values) < 2:
        return GroupRow(title, len(runs), mean, None)
    variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return GroupRow(title, len(runs), mean, math.sqrt(variance))
