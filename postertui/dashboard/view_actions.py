"""The keys that change what is drawn, and how; mixed into the main screen."""

from __future__ import annotations

from textual import work
from textual.binding import Binding, BindingType

from postertui.dashboard.board import Board
from postertui.dashboard.charts.panels import COMPARED
from postertui.dashboard.live.view import METRICS
from postertui.dashboard.options import SMOOTHING, epochs_mistake, parse_epochs
from postertui.dashboard.screens.prompt import PromptScreen
from postertui.dashboard.table.columns import COLUMNS
from postertui.dashboard.table.rows import GROUPS

VIEW_BINDINGS: list[BindingType] = [
    Binding("m", "metric(1)", "Metric", id="view.metric", tooltip="the next metric"),
    Binding("M", "metric(-1)", "metric back", show=False, id="view.metric-back"),
    Binding("f", "mode", "Overlay", id="view.overlay", tooltip="facets or all variants in one"),
    Binding("v", "compare", "compare", show=False, id="view.compare", tooltip="the column"),
    Binding("t", "train", "train on/off", show=False, id="view.train"),
    Binding("b", "references", "base rates", show=False, id="view.references"),
    Binding("y", "shared_y", "shared/free y", show=False, id="view.shared-y"),
    Binding("l", "log_y", "log y", show=False, id="view.log-y"),
    Binding("e", "smoothing", "smoothing", show=False, id="view.smoothing"),
    Binding("a", "seeds", "mean of seeds", show=False, id="view.seeds",
            tooltip="each run, or the mean and its 95 % interval"),
    Binding("E", "epochs", "epochs", show=False, id="view.epochs", tooltip="first to last"),
    Binding("z", "layout", "Layout", id="view.layout", tooltip="table and grid, grid, table"),
    Binding("equals_sign,greater_than_sign", "columns(1)", "more columns", show=False,
            id="view.more-columns"),
    Binding("less_than_sign", "columns(-1)", "fewer columns", show=False, id="view.fewer-columns"),
    Binding("left_square_bracket", "cursor(-1)", "epoch back", show=False, id="view.epoch-back"),
    Binding("right_square_bracket", "cursor(1)", "epoch on", show=False, id="view.epoch-on"),
    Binding("s", "sort(1)", "Sort", id="view.sort", tooltip="by the next column"),
    Binding("S", "reverse", "reverse sort", show=False, id="view.reverse"),
    Binding("g", "group", "Group", id="view.group", tooltip="by variant, by genre, not at all"),
]  # fmt: skip


class ViewActions(Board):
    """Each action changes one option and shows the result."""

    def _set(self, **changes: object) -> None:
        self.model.set_options(**changes)
        if changes.keys() <= {"sort", "reverse", "group"}:
            self.show_table()
        else:
            if changes.keys() & {"mode", "compare"}:
                self.model.rearrange()
            self.show_all()
        self.state_changed()

    def choose(self, **changes: object) -> None:
        """Set options by name."""
        self._set(**changes)

    def action_metric(self, by: int) -> None:
        names = list(METRICS)
        index = names.index(self.model.options.metric) if self.model.options.metric in names else 0
        self._set(metric=names[(index + by) % len(names)])

    def action_mode(self) -> None:
        self._set(mode="facet" if self.model.options.mode == "overlay" else "overlay")

    def action_compare(self) -> None:
        names = list(COMPARED)
        following = names[(names.index(self.model.options.compare) + 1) % len(names)]
        self._set(compare=following)
        self.say(f"comparing {COMPARED[following][0]}")

    def action_train(self) -> None:
        self._set(train=not self.model.options.train)

    def action_references(self) -> None:
        self._set(references=not self.model.options.references)

    def action_shared_y(self) -> None:
        self._set(shared_y=not self.model.options.shared_y)

    def action_log_y(self) -> None:
        self._set(log_y=not self.model.options.log_y)

    def action_smoothing(self) -> None:
        now = self.model.options.smoothing
        index = SMOOTHING.index(now) if now in SMOOTHING else 0
        self._set(smoothing=SMOOTHING[(index + 1) % len(SMOOTHING)])

    @work
    async def action_epochs(self) -> None:
        options = self.model.options
        now = f"{options.first_epoch or 1}-{options.last_epoch or ''}"
        text = await self.app.push_screen_wait(
            PromptScreen(
                "Which epochs?",
                "" if now == "1-" else now,
                "5-20, 5- or -20; nothing for all of them",
                epochs_mistake,
            )
        )
        if text is not None:
            first, last = parse_epochs(text)
            self._set(first_epoch=first, last_epoch=last)

    def action_seeds(self) -> None:
        self._set(seeds="each" if self.model.options.seeds == "mean" else "mean")

    def action_layout(self) -> None:
        order = ("both", "grid", "table")
        index = order.index(self.model.options.layout)
        self.set_layout(order[(index + 1) % 3])

    def action_columns(self, by: int) -> None:
        across = self.grid.places.tiling.across
        self._set(columns=max(1, across + by))

    def action_cursor(self, by: int) -> None:
        self.grid.move_cursor(by)

    def action_sort(self, by: int) -> None:
        names = [c.id for c in COLUMNS]
        index = names.index(self.model.options.sort) if self.model.options.sort in names else 0
        self.sort_by(names[(index + by) % len(names)])

    def action_reverse(self) -> None:
        self._set(reverse=not self.model.options.reverse)

    def action_group(self) -> None:
        index = GROUPS.index(self.model.options.group) if self.model.options.group in GROUPS else 0
        self._set(group=GROUPS[(index + 1) % len(GROUPS)])

    def sort_by(self, column: str) -> None:
        """Sort the table by `column`; a second time the other way round."""
        same = column == self.model.options.sort
        self._set(sort=column, reverse=not self.model.options.reverse if same else False)
