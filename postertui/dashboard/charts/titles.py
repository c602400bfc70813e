"""The line above a cell's plot: what it is, and its value with the verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postertui.dashboard.charts.cell import Row
from postertui.dashboard.charts.panels import Panel
from postertui.dashboard.charts.values import mean_of, value_at, value_text
from postertui.dashboard.number_format import signed
from postertui.dashboard.state.arrangement import Key
from postertui.dashboard.state.metrics import F_METRICS, LOWER_IS_BETTER
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import Difference, Margin
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.table.marks import BASELINE_MARKS, DIFFERENCE_MARKS, DIFFERENCE_STYLES
from postertui.dashboard.text_width import StyledText, cells, fit


@dataclass(frozen=True)
class Verdicts:
    """What the analysis says: a run's margin over its baseline, a variant's difference to base.

    `difference_of` is given genre and variant. None where there is no verdict.
    """

    margin_of: Callable[[RunView], Margin | None] = lambda _: None
    difference_of: Callable[[str, str], Difference | None] = lambda *_: None

    def margin(self, runs: Sequence[RunView]) -> Margin | None:
        """The margin that rests on most seeds, then that of the longest, of one setting's runs."""
        margins = [m for run in runs if (m := self.margin_of(run)) is not None]
        return max(margins, key=lambda m: (m.seeds, m.epoch), default=None)


def cell_title(
    key: Key,
    runs: Sequence[RunView],
    width: int,
    options: ViewOptions,
    *,
    cursor: int | None,
    selected: bool,
    focused: bool,
    verdicts: Verdicts | None = None,
    label: str = "",
    panel: Panel | None = None,
) -> Row:
    """The genre (or `label`) at the left, its runs' value or state at the right.

    Parameters
    ----------
    key
        The cell: genre, and the value that is compared.
    runs
        Its runs.
    width
        Of the line, in characters.
    cursor
        The epoch whose values are shown; None for each run's newest.
    verdicts
        For the marks; None for no marks.
    label
        In place of the genre, where it is not empty.
    panel
        What is drawn in the cell; None where nothing is yet.
    """
    label = label or key[0]
    style = ("selected" if focused else "highlight") if selected else "title"
    right = _standing(runs, options, cursor, verdicts or Verdicts(), panel)
    used = sum(cells(text) for text, _ in right)
    name = fit(f" {label} ", min(cells(label) + 2, max(4, width - used - 1)))
    space = width - cells(name) - used
    if space < 0:
        return ((fit(label, width), style),)
    return ((name, style), (" " * space, "blank"), *right)


def _standing(
    runs: Sequence[RunView],
    options: ViewOptions,
    cursor: int | None,
    verdicts: Verdicts,
    panel: Panel | None,
) -> tuple[StyledText, ...]:
    if not runs:
        return (("no run", "faint"),)
    parts: list[StyledText] = []
    if any(r.dead for r in runs):
        parts.append(("dead ", "failed"))
    if len({r.variant for r in runs}) > 1:
        return (*parts, *_best_of(runs, options, cursor, verdicts))
    if options.delta:
        return (*parts, *_difference(runs, cursor, verdicts, panel))
    value = mean_of([value_at(r, "test", options, cursor) for r in runs])
    if value is None:
        if all(r.epoch for r in runs):
            return (*parts, ("–", "dim"))
        state = next((r for r in runs if r.state == "running"), runs[0])
        return (*parts, (state.progress or state.state, state.state))
    trained = mean_of([value_at(r, "train", options, cursor) for r in runs])
    if cursor is not None and options.train and trained is not None:
        parts.append((value_text(trained, options) + " ", "train"))
    return (*parts, *_with_verdict(value, runs, options, cursor, verdicts))


def _with_verdict(
    value: float,
    runs: Sequence[RunView],
    options: ViewOptions,
    cursor: int | None,
    verdicts: Verdicts,
) -> tuple[StyledText, ...]:
    """A value and the verdict on it, which is that of an epoch: the value is of that epoch too."""
    if options.metric not in F_METRICS:
        return ((value_text(value, options), "test"),)
    margin = verdicts.margin(runs)
    if margin is not None and cursor is None and not any(r.state == "running" for r in runs):
        value = margin.value
    verdict = margin.verdict if margin is not None and cursor in (None, margin.epoch) else ""
    style = verdict or "test"
    return ((value_text(value, options), style), (BASELINE_MARKS[verdict], style))


def _difference(
    runs: Sequence[RunView], cursor: int | None, verdicts: Verdicts, panel: Panel | None
) -> tuple[StyledText, ...]:
    """The difference to the reference: the analysis' at its epoch, else that of the curves."""
    difference = verdicts.difference_of(runs[0].genre, runs[0].variant)
    if cursor is None and difference is not None:
        style = DIFFERENCE_STYLES.get(difference.verdict, "dim")
        mark = DIFFERENCE_MARKS.get(difference.verdict, " ")
        return ((signed(difference.difference), style), (mark, style))
    value = None if panel is None else panel.mean_at(cursor)
    return ((signed(value) + " " if value is not None else "–", "dim"),)


def _best_of(
    runs: Sequence[RunView], options: ViewOptions, cursor: int | None, verdicts: Verdicts
) -> tuple[StyledText, ...]:
    """The best run's value among several variants, and how many variants it is the best of."""
    valued = [(v, r) for r in runs if (v := value_at(r, "test", options, cursor)) is not None]
    if not valued:
        return ((runs[0].state, runs[0].state) if not runs[0].epoch else ("–", "dim"),)
    pick = min if options.metric in LOWER_IS_BETTER else max
    value, run = pick(valued, key=lambda pair: pair[0])
    of_many = (f"best of {len({r.variant for r in runs})} ", "dim")
    return (of_many, *_with_verdict(value, [run], options, cursor, verdicts))
