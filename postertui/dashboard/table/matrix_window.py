"""The summary's matrix as lines of styled text, as much of it as fits a window."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from postertui.dashboard.number_format import score
from postertui.dashboard.state.summary import REFERENCE
from postertui.dashboard.table.marks import BASELINE_MARKS
from postertui.dashboard.table.matrix import Matrix, wrap_name
from postertui.dashboard.table.sparkline import sparkline
from postertui.dashboard.text_width import StyledText, cut_middle, fit

#: Characters of a baseline, a value with its mark, and a sparkline.
_BASELINE, _VALUE, _SPARK = 5, 6, 11
#: From this width on, genres and cells have more room.
_WIDE = 100


@dataclass(frozen=True)
class MatrixWindow:
    """`width` by `height` characters of a `matrix`, from a genre and a variant on.

    `names` is how many lines the variants' names have; the cursor is on `genre` and `variant`.
    `marked` are names of runs.
    """

    matrix: Matrix
    width: int
    height: int
    names: int
    top: int = 0
    left: int = 0
    genre: str = ""
    variant: str = REFERENCE
    focused: bool = False
    marked: AbstractSet[str] = frozenset()

    @property
    def natural_height(self) -> int:
        """Lines for everything there is."""
        extra = bool(self.matrix.hidden_genres)
        return 1 + self.names + max(1, len(self.matrix.genres)) + 1 + extra

    @property
    def rows(self) -> int:
        """How many genres are in sight."""
        return max(1, self.height - 2 - self.names - bool(self.matrix.hidden_genres))

    @property
    def genre_width(self) -> int:
        longest = max((len(g) for g in self.matrix.genres), default=5)
        return min(longest, 16 if self.width >= _WIDE else 11)

    @property
    def fixed_width(self) -> int:
        """Characters left of the variants' cells."""
        return 1 + self.genre_width + 1 + _BASELINE + _VALUE + _SPARK + 1

    @property
    def cell_width(self) -> int:
        return 8 if self.width >= _WIDE else 6

    @property
    def across(self) -> int:
        """How many variants are in sight."""
        return max(0, (self.width - self.fixed_width) // self.cell_width)

    @property
    def visible_genres(self) -> tuple[str, ...]:
        return self.matrix.genres[self.top : self.top + self.rows]

    @property
    def visible_variants(self) -> tuple[str, ...]:
        return self.matrix.variants[self.left : self.left + self.across]

    def lines(self) -> list[list[StyledText]]:
        """All lines, the counts of verdicts last."""
        shown = self.visible_variants
        return [
            self._title(shown),
            *self._names(shown),
            *(self._genre_line(g, shown) for g in self.visible_genres),
            self._counts(shown),
            *self._hidden(),
        ]

    def _title(self, shown: tuple[str, ...]) -> list[StyledText]:
        summary = self.matrix.summary
        metric = summary.metric.removeprefix("test_").replace("fscore", "F").replace("_", " ")
        left = " computing …"
        if summary.epoch:
            left = f" test {metric} at epoch {summary.epoch}"
        elif summary.metric or summary.problem:
            left = " no epochs yet"
        pages = []
        if len(shown) < len(self.matrix.variants):
            first = self.left + 1
            pages.append(f"→{first}–{first + len(shown) - 1}/{len(self.matrix.variants)}")
        if self.rows < len(self.matrix.genres):
            last = min(self.top + self.rows, len(self.matrix.genres))
            pages.append(f"↓{self.top + 1}–{last}/{len(self.matrix.genres)}")
        key = f"  Δ to {REFERENCE} ×1000  ▲▼ beyond noise  · tie"
        if summary.problem:
            key = f"  {summary.problem}"
        tail = " ".join(pages) + " "
        room = max(0, self.width - len(left) - len(tail))
        return [(left, "bold"), (fit(key, room), "dim"), (tail, "dim")]

    def _names(self, shown: tuple[str, ...]) -> list[list[StyledText]]:
        count = self.names
        wrapped = {v: wrap_name(v, self.cell_width - 1, count) for v in shown}
        lines: list[list[StyledText]] = []
        for i in range(count):
            last = i == count - 1
            head = (
                fit(" genre", self.genre_width + 2)
                + fit("line", _BASELINE - 1, right=True)
                + " "
                + fit("base", _VALUE - 2, right=True)
                + "   "
                + fit("epochs", _SPARK)
                if last
                else " " * (self.genre_width + 2) + ("base-" if i == count - 2 else "")
            )
            line: list[StyledText] = [(fit(head, self.fixed_width), "dim")]
            for variant in shown:
                style = "accent" if variant == self.variant else "dim"
                line.append(
                    (fit(wrapped[variant][i], self.cell_width - 1, right=True) + " ", style)
                )
            lines.append(line)
        return lines

    def _genre_line(self, genre: str, shown: tuple[str, ...]) -> list[StyledText]:
        matrix = self.matrix
        is_selected_genre = genre == self.genre
        cursor = "selected" if self.focused else "highlight"
        baseline = matrix.summary.baselines.get(genre)
        margin = matrix.margin(genre)
        runs = matrix.runs.get((genre, REFERENCE), ())
        value = margin.value if margin is not None else None
        if value is None and runs:
            value = runs[0].newest(matrix.metric)
        verdict = margin.verdict if margin is not None else ""
        on_reference = is_selected_genre and self.variant == REFERENCE
        spark = sparkline(runs[0].values("test", matrix.metric), _SPARK - 1) if runs else ""
        name = cut_middle(genre, self.genre_width).ljust(self.genre_width)
        parts: list[StyledText] = [
            (self._mark(genre, REFERENCE), "accent"),
            (name + " ", "accent" if is_selected_genre else "text"),
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
            number = fit(text, self.cell_width - 2, right=True)
            selected = (self._mark(genre, variant), "accent")
            if is_selected_genre and variant == self.variant:
                parts += [(number + mark, cursor), selected]
            else:
                parts += [(number, style), (mark, mark_style), selected]
        return parts

    def _mark(self, genre: str, variant: str) -> str:
        """`●` where a run of the cell is marked."""
        runs = self.matrix.runs.get((genre, variant), ())
        return "●" if any(run.name in self.marked for run in runs) else " "

    def _counts(self, shown: tuple[str, ...]) -> list[StyledText]:
        base = self.matrix.baseline_counts()
        words = " ".join(
            f"{base[v]}{BASELINE_MARKS[v]}" for v in ("above", "unclear", "below") if base[v]
        )
        width = self.genre_width + 2 + _BASELINE
        label = " better▲ worse▼"
        head = fit(label if len(label) <= width else " ▲ ▼", width) + " " + words
        line: list[StyledText] = [(fit(head, self.fixed_width), "dim")]
        for variant in shown:
            better, worse = self.matrix.counts(variant)
            text = f"{better}▲" if better and not worse else f"{worse}▼"
            if better and worse:
                text = f"{better}▲{worse}▼"
            style = "above" if better > worse else "below" if worse > better else "dim"
            line.append((fit(text, self.cell_width - 1, right=True) + " ", style))
        return line

    def _hidden(self) -> list[list[StyledText]]:
        hidden = self.matrix.hidden_genres
        if not hidden:
            return []
        noun = "genre" if len(hidden) == 1 else "genres"
        return [[(f" {len(hidden)} {noun} without a defined test F: U shows them", "dim")]]
