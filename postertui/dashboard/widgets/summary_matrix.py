"""The matrix of the summary on the screen: a cursor on genres and variants, pages of both."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from textual import events
from textual.geometry import Region
from textual.message import Message

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.charts.tiling import scroll_to
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import REFERENCE, StudySummary
from postertui.dashboard.table.matrix import Matrix
from postertui.dashboard.table.matrix_window import MatrixWindow
from postertui.dashboard.terminal.theme import ThemeStyles
from postertui.dashboard.text_width import StyledText
from postertui.dashboard.widgets.line_widget import LineWidget

#: From this height on, a variant's name has three lines.
_TALL = 36


class SummaryMatrix(LineWidget, can_focus=True):
    """Shows a `Matrix`. Arrows move the cursor; column 0 is the reference."""

    BINDINGS = bindings("summary")

    class Moved(Message):
        """The cursor is on another cell."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, SummaryMatrix.Moved)

    class Opened(Message):
        """Enter or a second click on a cell."""

        def __init__(self, genre: str, variant: str) -> None:
            super().__init__()
            self.genre, self.variant = genre, variant

    def __init__(self, theme: ThemeStyles, *, id: str | None = None) -> None:
        super().__init__(theme, id=id)
        self.matrix = Matrix(StudySummary(), (), (), (), {})
        self.loading_text = "reading the runs …"
        self._genre = ""
        self._variant = REFERENCE
        self.marked: AbstractSet[str] = frozenset()
        self._was_moved = False
        self._top = self._left = 0

    # The cursor

    @property
    def columns(self) -> tuple[str, ...]:
        return (REFERENCE, *self.matrix.variants)

    @property
    def current(self) -> tuple[str, str] | None:
        """Genre and variant under the cursor."""
        return (self._genre, self._variant) if self._genre in self.matrix.genres else None

    @property
    def current_runs(self) -> list[RunView]:
        """The runs of the cell under the cursor."""
        return list(self.matrix.runs.get(self.current or ("", ""), ()))

    @property
    def runs_to_mark(self) -> list[RunView]:
        """The runs that a mark is for: of the cell, or at the reference of the whole genre."""
        if self._variant != REFERENCE:
            return self.current_runs
        return [r for (g, _), runs in self.matrix.runs.items() if g == self._genre for r in runs]

    @property
    def names_in_sight(self) -> set[str]:
        """The names of the runs whose cells are on the screen."""
        columns = (REFERENCE, *self._window.visible_variants)
        cells = ((genre, v) for genre in self._window.visible_genres for v in columns)
        return {run.name for cell in cells for run in self.matrix.runs.get(cell, ())}

    def show(self, matrix: Matrix) -> None:
        """Show `matrix`; the cursor stays on its genre and variant."""
        self.matrix = matrix
        if matrix.genres and (not self._was_moved or self._genre not in matrix.genres):
            self._genre = matrix.genres[0]
        if self._variant not in self.columns:
            self._variant = REFERENCE
        self._redraw()
        self.post_message(self.Moved())

    def move_to(self, genre: str, variant: str) -> None:
        """Put the cursor on a cell."""
        self._was_moved = True
        self._genre, self._variant = genre, variant
        self._redraw()
        self.post_message(self.Moved())

    def action_move(self, down: int, right: int) -> None:
        if self.current is None:
            return
        genres, columns = self.matrix.genres, self.columns
        row = max(0, min(genres.index(self._genre) + down, len(genres) - 1))
        column = max(0, min(columns.index(self._variant) + right, len(columns) - 1))
        self.move_to(genres[row], columns[column])

    def action_page(self, down: int, right: int) -> None:
        window = self._window
        self.action_move(down * window.rows, right * max(1, window.across))

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Opened(*self.current))

    # Drawing

    @property
    def natural_height(self) -> int:
        """Lines for everything there is."""
        return self._window.natural_height

    @property
    def _window(self) -> MatrixWindow:
        """What is in sight."""
        return MatrixWindow(
            self.matrix,
            *self.size,
            names=3 if self.screen.size.height >= _TALL else 2,
            top=self._top,
            left=self._left,
            genre=self._genre,
            variant=self._variant,
            focused=self.has_focus,
            marked=self.marked,
        )

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def on_focus(self) -> None:
        self._redraw()

    def on_blur(self) -> None:
        self._redraw()

    def repaint(self) -> None:
        self.lines = []
        self._redraw()

    def _redraw(self) -> None:
        """Draw all lines, and send those that differ."""
        if not self.size.width:
            return
        matrix, window = self.matrix, self._window
        if matrix.genres and self._genre in matrix.genres:
            row = matrix.genres.index(self._genre)
            self._top = scroll_to(self._top, row, window.rows, len(matrix.genres))
        if self._variant != REFERENCE:
            column = matrix.variants.index(self._variant)
            self._left = scroll_to(self._left, column, window.across, len(matrix.variants))
        else:
            self._left = max(0, min(self._left, len(matrix.variants) - window.across))
        loading: list[list[StyledText]] = [[], [("  " + self.loading_text, "dim")]]
        rows = self._window.lines() if matrix.genres else loading
        height = self.size.height
        lines = [self.strip(row) for row in rows[:height]]
        lines += [self.strip(())] * (height - len(lines))
        before, self.lines = self.lines, lines
        changed = [y for y, line in enumerate(lines) if y >= len(before) or before[y] != line]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    # The mouse

    def on_click(self, event: events.Click) -> None:
        window = self._window
        row = event.y - 1 - window.names
        if not 0 <= row < len(window.visible_genres):
            return
        variant = REFERENCE
        if event.x >= window.fixed_width:
            index = (event.x - window.fixed_width) // window.cell_width
            if index >= len(window.visible_variants):
                return
            variant = window.visible_variants[index]
        self.move_to(window.visible_genres[row], variant)
        if event.chain == 2:
            self.action_open()
