"""The summary on the main screen: the matrix, the sentences on its cell, and that cell's curves."""

from __future__ import annotations

import msgspec
from textual.app import ComposeResult
from textual.containers import Vertical

from postertui.dashboard.context import Context
from postertui.dashboard.state.arrangement import arrange
from postertui.dashboard.state.summary import REFERENCE
from postertui.dashboard.table.matrix import make_matrix
from postertui.dashboard.text_width import fit
from postertui.dashboard.widgets.chart_grid import ChartGrid
from postertui.dashboard.widgets.summary_matrix import SummaryMatrix
from postertui.dashboard.widgets.text_lines import TextLines

#: Lines from which on a genre's variants are shown side by side below the matrix.
TALL_GENRE_GRID = 14


class SummaryRegion(Vertical):
    """Shows the model's summary of the shown runs."""

    def __init__(self, context: Context) -> None:
        super().__init__(id="summary")
        self.model = context.model
        styles = context.styles
        self.matrix = SummaryMatrix(styles, id="matrix")
        self.sentences = TextLines(styles, 2, id="sentences")
        self.genre_grid = ChartGrid(
            styles,
            ascii_only=context.setup.ascii_only,
            has_pending_key=lambda: context.shell.has_pending_key,
            readout=False,
            id="genre-grid",
        )
        self.genre_grid.can_focus = False

    def compose(self) -> ComposeResult:
        yield self.matrix
        yield self.sentences
        yield self.genre_grid

    def show(self) -> bool:
        """Show the matrix of the shown runs; whether it needs another height now."""
        model = self.model
        matrix = make_matrix(
            model.summary,
            model.shown.values(),
            model.options.metric,
            all_genres=model.options.undefined_genres,
        )
        self.matrix.marked = model.marked
        self.matrix.loading_text = "no run matches" if model.runs else "reading the runs …"
        before = self.matrix.natural_height
        self.matrix.show(matrix)
        return self.matrix.natural_height != before

    def show_cell(self) -> None:
        """Show sentences and curves for the cell under the matrix' cursor."""
        current = self.matrix.current
        if current is None:
            self.sentences.show(())
            return
        genre, variant = current
        width = self.size.width - 2
        lines: list[list[tuple[str, str]]] = []
        for text, style in self.matrix.matrix.sentences(genre, variant, width):
            lines.append([(f" {fit(text, width)}", style or "text")])
        self.sentences.show(lines)
        self._show_genre(genre, variant)

    def _show_genre(self, genre: str, variant: str) -> None:
        """The genre's curves: all variants side by side where there is room, else one over base."""
        model = self.model
        runs = {n: r for n, r in model.shown.items() if r.genre == genre}
        is_tall = self.genre_grid.size.height >= TALL_GENRE_GRID
        if not is_tall:
            runs = {n: r for n, r in runs.items() if r.variant in (variant, REFERENCE)}
        options = msgspec.structs.replace(
            model.options, compare="variant", mode="facet" if is_tall else "overlay", columns=0
        )
        arrangement = arrange(runs.values(), options)
        self.genre_grid.show(arrangement, runs, options)
        if is_tall:
            self.genre_grid.go_to((genre, variant))

    def divide(self, screen_height: int, height: int) -> None:
        """Of `height` lines give the matrix as many as it needs, and the curves below the rest."""
        lines = 2 if screen_height < 40 else 3
        self.sentences.resize_to(lines)
        curves = 5 if screen_height < 30 else 8
        self.matrix.styles.height = max(6, min(self.matrix.natural_height, height - lines - curves))
