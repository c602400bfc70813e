"""The main screen's regions, and how the model is shown in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from postertui.dashboard.charts.grid import ChartGrid
from postertui.dashboard.filter.bar import FilterBar, FilterHints
from postertui.dashboard.live.feed import News
from postertui.dashboard.live.status import outlook, standing
from postertui.dashboard.model import Model
from postertui.dashboard.safe import clean
from postertui.dashboard.screens.first import first_steps
from postertui.dashboard.screens.keybar import KeyBar
from postertui.dashboard.screens.topbar import TopBar
from postertui.dashboard.table.columns import BY_ID
from postertui.dashboard.table.detail import RunDetail
from postertui.dashboard.table.widget import RunTable

if TYPE_CHECKING:
    from postertui.dashboard.app import DashboardApp
    from postertui.dashboard.control import Control

#: Below this many columns the table keeps to its most important columns.
NARROW = 110


class Board(Screen[None]):
    """The regions: status, filter, table, grid, keys."""

    #: What gets or loses the keys shows it by itself; Textual would draw the whole screen anew.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, dashboard: DashboardApp, model: Model) -> None:
        super().__init__()
        self.model = model
        book, plain = dashboard.book, dashboard.setup.ascii_only
        self.top = TopBar(book)
        self.bar = FilterBar(model.completions, model.options.filter)
        self.hints = FilterHints(self.bar)
        self.table = RunTable(book, id="table")
        self.detail = RunDetail(book)
        self.grid = ChartGrid(
            book, ascii_only=plain, keys_wait=lambda: dashboard.key_waits, id="grid"
        )
        self.keys = KeyBar(book)

    @property
    def dashboard(self) -> DashboardApp:
        return self.app  # type: ignore[return-value]

    @property
    def control(self) -> Control:
        return self.dashboard.control

    def compose(self) -> ComposeResult:
        yield self.top
        yield self.bar
        with Horizontal(id="regions"):
            with Vertical(id="left"):
                yield self.table
                yield self.detail
            yield self.grid
        yield self.keys
        yield self.hints

    def on_mount(self) -> None:
        self.set_layout(self.model.options.layout)
        self.show_all()
        self.dashboard.feed.start()

    def on_resize(self, event: events.Resize) -> None:
        self._divide()

    # Showing

    def take(self, news: News) -> None:
        """Show what has changed, and nothing else."""
        first = not self.model.loaded
        structural = self.model.take(news)
        if structural or first:
            self.show_all()
            return
        changed = {n: r for n, r in news.changed.items() if n in self.model.shown}
        if changed:
            self.grid.update_runs(changed)
            if BY_ID[self.model.options.sort].moves:
                self.show_table()
            else:
                self.table.update_runs(changed)
        self.show_status()

    def show_all(self) -> None:
        """Show the model anew."""
        self.show_table()
        self._divide()
        empty = self._advice()
        self.grid.empty = empty
        self.grid.show(self.model.arrangement, self.model.shown, self.model.options)
        self.show_status()

    def show_table(self) -> None:
        self.table.empty = () if self.model.runs else ("no runs",)
        if self.model.runs and not self.model.shown:
            self.table.empty = ("no run matches",)
        model = self.model
        self.table.show(
            list(model.shown.values()),
            model.options,
            model.pinned & model.shown.keys(),
            model.marked,
        )

    def show_detail(self) -> None:
        run = self.table.current
        self.detail.show(run, self.model.judgements.get(run.name) if run else None)

    def show_status(self) -> None:
        model = self.model
        if (problem := self.dashboard.feed.error) is not None:
            said = f" cannot read {clean(problem, 200)}"
            self.top.show(((" postertui ", "brand"), (said, "failed")), ())
            return
        left = standing(self.dashboard.where, model.counts(), loaded=model.loaded)
        right = outlook(
            *self.dashboard.pace(),
            paused=self.dashboard.main.is_paused,
            idle=self.dashboard.main.is_idle,
        )
        if notice := self.dashboard.setup.notice:
            right = ((f" {notice} ", "accent"), *right)
        self.top.show(left, right)
        if model.filter_error:
            self.bar.tell(model.filter_error, wrong=True)
        elif len(model.shown) == len(model.runs):
            self.bar.tell(f"{len(model.runs)} runs")
        else:
            self.bar.tell(f"{len(model.shown)} of {len(model.runs)} runs")

    def _advice(self) -> tuple[str, ...]:
        """What the grid says when there is nothing to draw."""
        if not self.model.loaded:
            return ("reading the runs …",)
        if self.model.runs:
            return (
                "No run matches the filter.",
                "",
                "/ and then Ctrl+U clears it.",
            )
        return first_steps(self.dashboard.setup, self.dashboard.where)

    def say(
        self,
        text: str,
        *,
        severity: Literal["information", "warning", "error"] = "information",
    ) -> None:
        """A short message that goes away by itself."""
        self.app.notify(text, severity=severity, markup=False, timeout=4)

    def repaint(self) -> None:
        """Draw everything anew, in the colours that now hold."""
        self.show_all()
        for bar in (self.top, self.keys):
            bar.redraw()

    def state_changed(self) -> None:
        """Something that is remembered between sessions is different now."""
        self.dashboard.remember()

    # Layout

    def set_layout(self, layout: str) -> None:
        self.model.set_options(layout=layout)
        self._divide()
        (self.grid if layout == "grid" else self.table).focus()
        self.state_changed()

    def _divide(self) -> None:
        """Show the regions of the layout, and give the table as much of the width as is good."""
        left, (width, height) = self.query_one("#left"), self.size
        layout = self.model.options.layout
        # Without runs the grid has everything, to say what to do.
        left.display = bool(self.model.runs) and layout != "grid"
        self.grid.display = layout != "table" or not self.model.runs
        if layout == "table":
            left.styles.width = "1fr"
        elif width < NARROW:
            left.styles.width = min(36, max(20, width * 9 // 20))
        else:
            left.styles.width = max(46, self.table.natural_width(min(76, width * 2 // 5)))
        self.detail.display = height >= 20
        self.detail.styles.height = 5 if height < 40 else 8
        if self.focused is None and left.display:
            self.table.focus()
