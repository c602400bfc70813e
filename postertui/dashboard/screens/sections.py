"""The text of `?`: every binding, where one is first, and the legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.binding import Binding, BindingType
from textual.screen import Screen

from postertui.dashboard.figure.actions import FIGURE_BINDINGS
from postertui.dashboard.run_actions import RUN_BINDINGS
from postertui.dashboard.screens.help import Section
from postertui.dashboard.screens.keybar import show_key
from postertui.dashboard.table.columns import BAR_MARKS, STATE_MARKS
from postertui.dashboard.view_actions import VIEW_BINDINGS
from postertui.dashboard.watch.actions import WATCH_BINDINGS

if TYPE_CHECKING:
    from postertui.dashboard.main import MainScreen


def help_sections(screen: MainScreen, here: Screen[Any]) -> list[Section]:
    """Sections of (keys, what they do), with the user's own keys; first those of `here`."""
    from postertui.dashboard.charts.zoom import ZoomScreen
    from postertui.dashboard.launching.screen import LaunchScreen
    from postertui.dashboard.watch.runscreen import RunScreen

    others = (*VIEW_BINDINGS, *RUN_BINDINGS, *WATCH_BINDINGS, *FIGURE_BINDINGS)
    own = [b for b in type(screen).BINDINGS if b not in others]
    app = [b for b in type(screen.app).BINDINGS if isinstance(b, Binding)]

    def keys(bindings: list[BindingType]) -> list[tuple[str, ...]]:
        own = [b for b in bindings if isinstance(b, Binding)]
        return [(_keys(screen, b), _says(b), b.id or "") for b in own]

    screens: dict[str, type[Screen[Any]]] = {
        "one cell": ZoomScreen,
        "one run": RunScreen,
        "new runs": LaunchScreen,
    }
    inner = [(title, kind, keys(list(kind.BINDINGS))) for title, kind in screens.items()]
    return [
        *((title, lines) for title, kind, lines in inner if isinstance(here, kind)),
        ("everywhere", keys([*own, *app])),
        ("runs", keys(RUN_BINDINGS)),
        ("watching and figures", keys([*WATCH_BINDINGS, *FIGURE_BINDINGS])),
        ("the view", keys(VIEW_BINDINGS)),
        ("the table", keys(list(type(screen.table).BINDINGS))),
        ("the grid", keys(list(type(screen.grid).BINDINGS))),
        *((title, lines) for title, kind, lines in inner if not isinstance(here, kind)),
        ("states", [(mark, state) for state, mark in STATE_MARKS.items()]),
        (
            "your own keys, in ~/.config/postertui/config.toml",
            [
                ("[keys]", "then a line for each, by the names at the right:"),
                ('"view.metric"', '= "f5,M"'),
            ],
        ),
        (
            "test F against its bars",
            [
                (BAR_MARKS["above"], "above always saying yes: the model is worth something"),
                (BAR_MARKS["between"], "above the base rate, not above always saying yes"),
                (BAR_MARKS["below"], "below the base rate"),
            ],
        ),
        (
            "the filter",
            [
                ("comedy", "a bare word matches any text of a run"),
                ("genre:comedy variant:l2-*", "fields, with globs; side by side means and"),
                ("state:running,queued", "any of several"),
                ("test_fscore>.3 fc1=256", "numbers compare"),
                ("and or not ( )", "as anywhere"),
            ],
        ),
    ]


def _says(binding: Binding) -> str:
    if binding.tooltip:
        return f"{binding.description}: {binding.tooltip}"
    return binding.description


def _keys(screen: MainScreen, binding: Binding) -> str:
    own = screen.dashboard.keys_of(binding).split(",")
    return " ".join(show_key(k.strip()) for k in own)
