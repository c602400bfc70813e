"""What the palette offers on the main screen beside its actions: each choice by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from postertui.dashboard.actions.palette import Command
from postertui.dashboard.controllers.view import ViewController
from postertui.dashboard.state.arrangement import Arrangement, Key
from postertui.dashboard.state.metrics import label_of
from postertui.dashboard.state.persistence import load_filters
from postertui.dashboard.state.view_options import COMPARED
from postertui.dashboard.table.columns import COLUMNS
from postertui.system.text import to_single_line


def main_choices(
    view: ViewController,
    arrangement: Arrangement,
    apply_filter: Callable[[str], object],
    go_to: Callable[[Key], object],
) -> Iterator[Command]:
    """A command for each metric, compared column, sort, saved filter and genre.

    Parameters
    ----------
    apply_filter
        Is given the filter's text.
    go_to
        Is given the cell: a genre, and the first value that is compared.
    """
    for metric in view.metrics():
        yield Command(f"metric: {label_of(metric)}", partial(view.set, metric=metric))
    for name, label in COMPARED.items():
        yield Command(f"compare: {label}", partial(view.set, compare=name))
    for column in COLUMNS:
        title = column.title or column.id
        title += f", {column.help}" if column.help else ""
        yield Command(f"sort by: {title}", partial(view.sort_by, column.id))
    for name, text in load_filters().items():
        title = f"filter: {to_single_line(name, 40)}  {to_single_line(text, 60)}"
        yield Command(title, partial(apply_filter, text))
    for genre in arrangement.rows:
        yield Command(f"go to: {genre}", partial(go_to, (genre, arrangement.columns[0])))
