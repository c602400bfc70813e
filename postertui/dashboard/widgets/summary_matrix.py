"""The matrix of the summary on the screen: a cursor on genres and variants, pages of both."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from textual import events
from textual.geometry import Region
from textual.message import Message

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.charts.tiling import scroll_to
from postertui.dashboard.number_format import score
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import REFERENCE, StudySummary
from postertui.dashboard.table.marks import BASELINE_MARKS
from postertui.dashboard.table.matrix import Matrix, Text, wrap_name
from postertui.dashboard.table.sparkline import sparkline
from postertui.dashboard.terminal.theme import ThemeStyles
from postertui.dashboard.text_width import cut_middle, fit
from postertui.dashboard.widgets.line_widget import LineWidget

#: Characters of a baseline, a value with its mark, a sparkline, and a variant's cell.
_BASELINE, _VALUE, _SPARK = 5, 6, 11
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
        columns = (REFERENCE, *self.matrix.variants[self._left : self._left + self._across])
        cells = ((genre, v) for genre in self._visible_genres for v in columns)
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
        self.action_move(down * self._rows, right * max(1, self._across))

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Opened(*self.current))

    # Drawing

    @property
    def natural_height(self) -> int:
        """Lines for everything there is."""
        extra = bool(self.matrix.hidden_genres)
        return 1 + self._name_lines + max(1, len(self.matrix.genres)) + 1 + extra

    @property
    def _name_lines(self) -> int:
        return 3 if self.screen.size.height >= _TALL else 2

    @property
    def _rows(self) -> int:
        """How many genres are in sight."""
        return max(1, self.size.height - 2 - self._name_lines - bool(self.matrix.hidden_genres))

    @property
    def _genre_width(self) -> int:
        longest = max((len(g) for g in self.matrix.genres), default=5)
        return min(longest, 16 if self.size.width >= 100 else 11)

    @property
    def _fixed_width(self) -> int:
        return 1 + self._genre_width + 1 + _BASELINE + _VALUE + _SPARK + 1

    @property
    def _cell_width(self) -> int:
        return 6 if self.size.width < 100 else 8

    @property
    def _across(self) -> int:
        """How many variants are in sight."""
        return max(0, (self.size.width - self._fixed_width) // self._cell_width)

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
        matrix = self.matrix
        if matrix.genres and self._genre in matrix.genres:
            row = matrix.genres.index(self._genre)
            self._top = scroll_to(self._top, row, self._rows, len(matrix.genres))
        if self._variant != REFERENCE:
            column = matrix.variants.index(self._variant)
            self._left = scroll_to(self._left, column, self._across, len(matrix.variants))
        else:
            self._left = max(0, min(self._left, len(matrix.variants) - self._across))
        rows = self._lines()
        height = self.size.height
        lines = [self.strip(row) for row in rows[:height]]
        lines += [self.strip(())] * (height - len(lines))
        before, self.lines = self.lines, lines
        changed = [y for y, line in enumerate(lines) if y >= len(before) or before[y] != line]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _lines(self) -> list[list[Text]]:
        matrix = self.matrix
        if not matrix.genres:
            return [[], [("  " + self.loading_text, "dim")]]
        shown = matrix.variants[self._left : self._left + self._across]
        return [
            self._title(shown),
            *self._names(shown),
            *(self._genre_line(g, shown) for g in self._visible_genres),
            self._counts(shown),
            *self._hidden(),
        ]

    @property
    def _visible_genres(self) -> tuple[str, ...]:
        return self.matrix.genres[self._top : self._top + self._rows]

    def _title(self, shown: tuple[str, ...]) -> list[Text]:
        summary = self.matrix.summary
        metric = summary.metric.removeprefix("test_").replace("fscore", "F").replace("_", " ")
        left = f" test {metric} at epoch {summary.epoch}" if summary.epoch else " no epochs yet"
        pages = []
        if len(shown) < len(self.matrix.variants):
            first = self._left + 1
            pages.append(f"→{first}–{first + len(shown) - 1}/{len(self.matrix.variants)}")
        if self._rows < len(self.matrix.genres):
            last = min(self._top + self._rows, len(self.matrix.genres))
            pages.append(f"↓{self._top + 1}–{last}/{len(self.matrix.genres)}")
        key = f"  Δ to {REFERENCE} ×1000  ▲▼ beyond noise  · tie"
        if summary.problem:
            key = f"  {summary.problem}"
        tail = " ".join(pages) + " "
        room = max(0, self.size.width - len(left) - len(tail))
        return [(left, "bold"), (fit(key, room), "dim"), (tail, "dim")]

    def _names(self, shown: tuple[str, ...]) -> list[list[Text]]:
        count = self._name_lines
        wrapped = {v: wrap_name(v, self._cell_width - 1, count) for v in shown}
        lines: list[list[Text]] = []
        for i in range(count):
            last = i == count - 1
            head = (
                fit(" genre", self._genre_width + 2)
                + fit("line", _BASELINE - 1, right=True)
                + " "
                + fit("base", _VALUE - 2, right=True)
                + "   "
                + fit("epochs", _SPARK)
                if last
                else " " * (self._genre_width + 2) + ("base-" if i == count - 2 else "")
            )
            line: list[Text] = [(fit(head, self._fixed_width), "dim")]
            for variant in shown:
                style = "accent" if variant == self._variant else "dim"
                line.append(
                    (fit(wrapped[variant][i], self._cell_width - 1, right=True) + " ", style)
                )
            lines.append(line)
        return lines

    def _genre_line(self, genre: str, shown: tuple[str, ...]) -> list[Text]:
        matrix = self.matrix
        here = genre == self._genre
        cursor = "selected" if self.has_focus else "highlight"
        baseline = matrix.summary.baselines.get(genre)
        margin = matrix.margin(genre)
        runs = matrix.runs.get((genre, REFERENCE), ())
        value = margin.value if margin is not None else None
        if value is None and runs:
            value = runs[0].newest(matrix.metric)
        verdict = margin.verdict if margin is not None else ""
        on_reference = here and self._variant == REFERENCE
        spark = sparkline(runs[0].values("test", matrix.metric), _SPARK - 1) if runs else ""
        name = cut_middle(genre, self._genre_width).ljust(self._genre_width)
        parts: list[Text] = [
            (self._mark(genre, REFERENCE), "accent"),
            (name + " ", "accent" if here else "text"),
            (
                fit(score(baseline) if baseline is not None else "", _BASELINE - 1, right=True),
                "dim",
            ),
            (" ", "blank"),
            (
                fit(score(value), _VALUE - 2, right=True) + BASELINE_MARKS[verdict],
                cursor if on_reference else (verdict or "text"),
            ),
            (" ", "blank"),
            (fit(spark, _SPARK) + " ", "test"),
        ]
        for variant in shown:
            (text, style), (mark, mark_style) = matrix.cell(genre, variant)
            number = fit(text, self._cell_width - 2, right=True)
            selected = (self._mark(genre, variant), "accent")
            if here and variant == self._variant:
                parts += [(number + mark, cursor), selected]
            else:
                parts += [(number, style), (mark, mark_style), selected]
        return parts

    def _mark(self, genre: str, variant: str) -> str:
        """`●` where a run of the cell is marked."""
        runs = self.matrix.runs.get((genre, variant), ())
        return "●" if any(run.name in self.marked for run in runs) else " "

    def _counts(self, shown: tuple[str, ...]) -> list[Text]:
        base = self.matrix.baseline_counts()
        words = " ".join(
            f"{base[v]}{BASELINE_MARKS[v]}" for v in ("above", "unclear", "below") if base[v]
        )
        width = self._genre_width + 2 + _BASELINE
        label = " better▲ worse▼"
        head = fit(label if len(label) <= width else " ▲ ▼", width) + " " + words
        line: list[Text] = [(fit(head, self._fixed_width), "dim")]
        for variant in shown:
            better, worse = self.matrix.counts(variant)
            text = f"{better}▲" if better and not worse else f"{worse}▼"
            if better and worse:
                text = f"{better}▲{worse}▼"
            style = "above" if better > worse else "below" if worse > better else "dim"
            line.append((fit(text, self._cell_width - 1, right=True) + " ", style))
        return line

    def _hidden(self) -> list[list[Text]]:
        hidden = self.matrix.hidden_genres
        if not hidden:
            return []
        noun = "genre" if len(hidden) == 1 else "genres"
        return [[(f" {len(hidden)} {noun} without a defined test F: U shows them", "dim")]]

    # The mouse

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 - self._name_lines
        if not 0 <= row < len(self._visible_genres):
            return
        variant = REFERENCE
        if event.x >= self._fixed_width:
            index = self._left + (event.x - self._fixed_width) // self._cell_width
            if index >= len(self.matrix.variants):
                return
            variant = self.matrix.variants[index]
        self.move_to(self._visible_genres[row], variant)
        if event.chain == 2:
            self.action_open()
