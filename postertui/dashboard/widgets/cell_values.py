"""The values beside one cell's curves."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from postertui.dashboard.charts.cell import Row
from postertui.dashboard.charts.values import value_text, values_at
from postertui.dashboard.number_format import always_yes, score
from postertui.dashboard.terminal.theme import ThemeStyles
from postertui.dashboard.text_width import fit
from postertui.dashboard.widgets.big_chart import BigChart
from postertui.dashboard.widgets.run_detail import detail_lines

#: Columns of the values at the right.
_NUMBERS = 13


class CellValues(Widget):
    """At the right: every curve's value at the cursor."""

    def __init__(self, theme: ThemeStyles, chart: BigChart) -> None:
        super().__init__()
        self.theme = theme
        self.chart = chart

    def rows(self) -> list[Row]:
        """A row a run as far as there is room, then the references and the verdict."""
        chart, options, width = self.chart, self.chart.model.options, self.size.width
        where = f"epoch {chart.cursor}" if chart.cursor is not None else "newest"
        rows: list[Row] = [(
            (fit(f" {where}", width - _NUMBERS), "bold"),
            ((f"{'test':>6}{'train':>6}"), "dim"),
        )]  # fmt: skip
        values = values_at(chart.runs, options, chart.cursor)
        tail = [*self._references(), *self._verdict()]
        room = max(1, self.size.height - len(tail) - 2)
        for value in values if len(values) <= room else values[: room - 1]:
            rows.append((
                (fit(f" {value.name}", width - _NUMBERS), chart.style_of(value.group)),
                (f"{value_text(value.test, options):>6}", "text"),
                (f"{value_text(value.train, options):>6}", "dim"),
            ))  # fmt: skip
        if len(values) > room:
            rows.append(((f" … {len(values) - room + 1} more", "dim"),))
        return rows + tail

    def _references(self) -> list[Row]:
        with_base_rate = next((r for r in self.chart.runs if r.test_base_rate is not None), None)
        if with_base_rate is None:
            return []
        width = self.size.width - _NUMBERS
        rate, yes = with_base_rate.test_base_rate, always_yes(with_base_rate.test_base_rate)
        return [
            (),
            ((fit(" base rate", width), "base-test"), (f"{score(rate):>6}", "text")),
            ((fit(" always-yes", width), "dim"), (f"{score(yes):>6}", "text")),
        ]

    def _verdict(self) -> list[Row]:
        run = self.chart.first
        assessment = self.chart.model.assessments.get(run.name) if run is not None else None
        margin = self.chart.model.margin(run) if run is not None else None
        lines = detail_lines(
            run, margin, assessment, self.size.width - 2, max(2, self.size.height // 3)
        )
        if not lines:
            return []
        assert run is not None
        return [(), ((f" {run.variant}", "bold"),), *(((f" {t}", style),) for t, style in lines)]

    def render_line(self, y: int) -> Strip:
        base = self.theme["on-surface"]
        rows = self.rows()
        row = rows[y] if y < len(rows) else ()
        strip = Strip([Segment(text, self.theme.over(base, style)) for text, style in row])
        return strip.adjust_cell_length(self.size.width, base)
