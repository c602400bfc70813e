"""What the command palette offers: every key's action, and every choice by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from postertui.dashboard.charts.panels import COMPARED
from postertui.dashboard.live.view import METRICS
from postertui.dashboard.memory import load_filters
from postertui.dashboard.safe import clean
from postertui.dashboard.screens.keybar import show_key
from postertui.dashboard.table.columns import COLUMNS
from postertui.dashboard.theme import PALETTES

if TYPE_CHECKING:
    from postertui.dashboard.app import DashboardApp


class Command(NamedTuple):
    """One entry. `always` are listed before anything is typed."""

    title: str
    run: Callable[[], object]
    always: bool = False


class EverythingProvider(Provider):
    """All commands; those of the keys are listed first."""

    async def discover(self) -> Hits:
        for command in commands(self._dashboard):
            if command.always:
                yield DiscoveryHit(Content(command.title), command.run)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in commands(self._dashboard):
            score = matcher.match(command.title)
            if score > 0:
                title = matcher.highlight(command.title)
                yield Hit(score, title, command.run)

    @property
    def _dashboard(self) -> DashboardApp:
        return self.app  # type: ignore[return-value]


def commands(app: DashboardApp) -> Iterator[Command]:
    """Everything that can be done from the main screen."""
    yield from _of_keys(app)
    main, model = app.main, app.model
    for metric, (label, _) in METRICS.items():
        yield Command(f"metric: {label}", partial(main.choose, metric=metric))
    for name, (label, _) in COMPARED.items():
        yield Command(f"compare: {label}", partial(main.choose, compare=name))
    for column in COLUMNS:
        title = column.title or column.id
        title += f", {column.help}" if column.help else ""
        yield Command(f"sort by: {title}", partial(main.sort_by, column.id))
    for name in PALETTES:
        yield Command(f"theme: {name}", partial(app.choose_theme, name))
    for name, text in load_filters().items():
        title = f"filter: {clean(name, 40)}  {clean(text, 60)}"
        yield Command(title, partial(main.apply_filter, text))
    for genre in model.arrangement.rows:
        key = (genre, model.arrangement.columns[0])
        yield Command(f"go to: {genre}", partial(main.grid.go_to, key))


def _of_keys(app: DashboardApp) -> Iterator[Command]:
    seen: set[str] = set()
    for node in (app.main, app):
        for binding in type(node).BINDINGS:
            if not isinstance(binding, Binding) or binding.action in seen or binding.system:
                continue
            if binding.action in ("back", "command_palette"):
                continue
            seen.add(binding.action)
            keys = app.keys_of(binding).split(",")
            title = binding.description.lower()
            if binding.tooltip:
                title += f": {binding.tooltip}"
            title += f"  ({show_key(keys[0].strip())})"
            yield Command(title, partial(node.run_action, binding.action), always=True)
