"""What of the runs is on the main screen, what is under its cursor, and what an action is for."""

from __future__ import annotations

from postertui.dashboard.screens.main_layout import MainLayout
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.targets import Subject, Targets


class Sight:
    """Looks at the regions of `layout` as they are when it is asked."""

    def __init__(self, layout: MainLayout) -> None:
        self._layout = layout
        self._model = layout.model

    def targets(self) -> Targets:
        """The marked runs that the filter shows, or else those under the cursor.

        With marks that the filter hides nothing else is meant: those marks were for the action.
        """
        marked = [run for run in self._model.marked_runs if run.name in self._model.shown]
        return Targets(marked or ([] if self.hidden_marks else self.current_runs), self.names)

    @property
    def hidden_marks(self) -> int:
        """How many marked runs the filter hides."""
        return len(self._model.marked - self._model.shown.keys())

    @property
    def current_runs(self) -> list[RunView]:
        """The run under the table's cursor, or those of the chosen cell."""
        layout = self._layout
        if layout.matrix.is_on_screen:
            return layout.matrix.current_runs
        if layout.grid.has_focus:
            return self.selected_cell
        current = layout.table.current
        return [current] if current is not None else []

    @property
    def selected_cell(self) -> list[RunView]:
        """The runs of the grid's chosen cell."""
        key = self._layout.grid.viewport.selected_key or ("", "")
        return [self._model.runs[name] for name in self._model.arrangement.members.get(key, ())]

    @property
    def names(self) -> set[str]:
        """The names of the runs whose row or cell is on the screen."""
        layout = self._layout
        if layout.matrix.is_on_screen:
            return layout.matrix.names_in_sight
        names = layout.table.names_in_sight if layout.table.is_on_screen else set()
        if layout.grid.is_on_screen:
            members = self._model.arrangement.members
            names.update(*(members.get(key, ()) for key in layout.grid.viewport.visible_keys()))
        return names

    def subject(self) -> Subject:
        """The shown runs, and genre and variant under the cursor."""
        runs = dict(self._model.shown)
        matrix = self._layout.matrix
        if matrix.is_on_screen and matrix.current is not None:
            return Subject(runs, *matrix.current)
        if not self.current_runs:
            return Subject(runs)
        first = self.current_runs[0]
        return Subject(runs, first.genre, first.variant)

    def figure_runs(self) -> dict[str, RunView]:
        """The marked runs; without marks those shown, or of the summary its genre's."""
        if self._model.marked:
            return {run.name: run for run in self.targets().runs}
        matrix = self._layout.matrix
        if not matrix.is_on_screen or matrix.current is None:
            return self._model.shown
        genre = matrix.current[0]
        return {n: r for n, r in self._model.shown.items() if r.genre == genre}
