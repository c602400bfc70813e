"""The curves of one run, above its log."""

from __future__ import annotations

import msgspec
from textual import events

from postertui.dashboard.charts.captions import header
from postertui.dashboard.charts.cell import draw_cell
from postertui.dashboard.charts.highlights import highlight
from postertui.dashboard.charts.panels import epoch_range, panel_of, value_range
from postertui.dashboard.charts.plot import PlotSettings
from postertui.dashboard.context import Context
from postertui.dashboard.state.arrangement import compared_value
from postertui.dashboard.state.metrics import LOWER_IS_BETTER
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.widgets.line_widget import LineWidget


class RunChart(LineWidget):
    """The metric of the main screen over a run's epochs, its peak marked."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.styles, id="run-chart")
        self._model = context.model
        self._ascii_only = context.setup.ascii_only
        self._run: RunView | None = None

    def show(self, run: RunView) -> None:
        """Draw the curves of `run`."""
        self._run = run
        width, height = self.size
        if height < 3:
            return
        options = msgspec.structs.replace(
            self._model.options, mode="facet", first_epoch=0, last_epoch=0
        )
        groups = (compared_value(options.compare)(run),)
        basis = self._model.delta_basis(run.genre, [run]) if options.delta else None
        panel = panel_of([run], groups, options, basis)
        settings = PlotSettings(
            epochs=epoch_range([run], options),
            scale=value_range([panel], options),
            ascii_only=self._ascii_only,
            lowest_is_best=options.metric in LOWER_IS_BETTER,
        )
        title = header(options, highlight(groups, ()), "", width, self._ascii_only)
        self.lines = [self.strip(row) for row in draw_cell(panel, title, width, height, settings)]
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        if self._run is not None:
            self.show(self._run)
