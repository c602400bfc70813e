"""Changes of what is drawn, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from postertui.dashboard.context import Context
from postertui.dashboard.dialogs.choice import ChoiceScreen
from postertui.dashboard.dialogs.prompt import PromptScreen
from postertui.dashboard.state.metrics import METRICS, label_of, recorded_metrics
from postertui.dashboard.state.view_options import (
    COMPARED,
    GROUPS,
    SMOOTHING,
    Layout,
    epoch_range_error,
    parse_epochs,
)
from postertui.dashboard.table.columns import BY_ID, COLUMNS

V = TypeVar("V")

LAYOUTS: tuple[Layout, ...] = ("both", "grid", "table")


class ViewController:
    """Each method changes view options, and has the screens show it."""

    def __init__(self, context: Context) -> None:
        self._shell = context.shell
        self._model = context.model

    def set(self, **options: object) -> None:
        """Set view options by name."""
        self._model.set_options(**options)
        if options.keys() & {"mode", "compare", "metric"}:
            self._model.rearrange()
        self._shell.options_changed(options.keys())

    def metrics(self) -> list[str]:
        """The metrics to draw: the built-in ones, then others of the runs on the screen."""
        columns = dict.fromkeys(
            name for run in self._model.runs.values() for name in run.history.extra_names
        )
        return [*METRICS, *recorded_metrics(columns)]

    def step_metric(self, by: int) -> None:
        self.set(metric=_step(self.metrics(), self._model.options.metric, by))

    def choose_metric(self) -> None:
        """Ask which metric is drawn."""
        choices = {metric: label_of(metric) for metric in self.metrics()}
        self._choose("what is drawn", choices, "metric")

    def choose_compared(self) -> None:
        """Ask which column is compared."""
        self._choose("what is compared", COMPARED, "compare")

    def choose_sort(self) -> None:
        """Ask for the order of the table."""
        if not self._table_is_shown():
            return
        choices = {c.id: c.title or c.id for c in COLUMNS}

        def sort(column: str | None) -> None:
            if column is not None:
                self.sort_by(column)

        self._shell.ask(ChoiceScreen("the order", choices, self._model.options.sort), sort)

    def _choose(self, title: str, choices: Mapping[str, str], option: str) -> None:
        def choose(value: str | None) -> None:
            if value is not None:
                self.set(**{option: value})

        current = getattr(self._model.options, option)
        self._shell.ask(ChoiceScreen(title, choices, current), choose)

    def toggle_overlay(self) -> None:
        """Facets, or a genre's variants laid over each other."""
        if self._model.options.layout == "summary":
            self._shell.show_message("the curves below are overlaid; 2 shows facets, too")
            return
        self.set(mode="facet" if self._model.options.mode == "overlay" else "overlay")

    def step_compared(self) -> None:
        compared = _step(list(COMPARED), self._model.options.compare, 1)
        self.set(compare=compared)
        self._shell.show_message(f"comparing {COMPARED[compared]}")

    def toggle(self, option: str) -> None:
        """Switch an option that is on or off."""
        self.set(**{option: not getattr(self._model.options, option)})

    def step_smoothing(self) -> None:
        self.set(smoothing=_step(SMOOTHING, self._model.options.smoothing, 1))

    def toggle_seeds(self) -> None:
        self.set(seeds="each" if self._model.options.seeds == "mean" else "mean")

    def step_layout(self) -> None:
        """Table and grid, the grid alone, the table alone."""
        layout = self._model.options.layout
        self.set(layout=_step(LAYOUTS, layout, 1) if layout in LAYOUTS else LAYOUTS[0])

    def show_curves(self) -> None:
        """Small multiples, beside the table unless they had the screen to themselves."""
        if self._model.options.layout not in ("both", "grid"):
            self.set(layout="both")

    def step_group(self) -> None:
        """Group the table by variant, by genre, not at all."""
        if self._table_is_shown():
            self.set(group=_step(GROUPS, self._model.options.group, 1))

    def _table_is_shown(self) -> bool:
        """Whether what orders the table can be seen to do so; says so where not."""
        if self._model.options.layout not in ("summary", "grid"):
            return True
        self._shell.show_message("this orders the table of runs: 3 shows it")
        return False

    def step_sort(self) -> None:
        """Sort the table by the next column."""
        if self._table_is_shown():
            self.sort_by(_step([c.id for c in COLUMNS], self._model.options.sort, 1))

    def reverse_sort(self) -> None:
        """Turn the order of the table round."""
        if self._table_is_shown():
            self.toggle("reverse")

    def sort_by(self, column: str) -> None:
        """Sort the table by `column`, scores best first; a second time the other way round."""
        same = column == self._model.options.sort
        reverse = not self._model.options.reverse if same else BY_ID[column].best_first
        self.set(sort=column, reverse=reverse)

    def ask_epochs(self) -> None:
        """Ask which epochs are drawn."""
        options = self._model.options
        current = f"{options.first_epoch or 1}-{options.last_epoch or ''}"
        dialog = PromptScreen(
            "Which epochs?",
            "" if current == "1-" else current,
            "5-20, 5- or -20; nothing for all of them",
            epoch_range_error,
        )

        def apply(text: str | None) -> None:
            if text is not None:
                first, last = parse_epochs(text)
                self.set(first_epoch=first, last_epoch=last)

        self._shell.ask(dialog, apply)


def _step(choices: Sequence[V], current: V, by: int) -> V:
    """The choice `by` places after `current`, from the first where `current` is none of them."""
    index = choices.index(current) if current in choices else 0
    return choices[(index + by) % len(choices)]
