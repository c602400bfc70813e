"""The keys that users have given to actions in their config file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from textual.binding import Binding

from postertui.system.errors import UserError


def bindings() -> Iterator[Binding]:
    """Every binding that can be given another key."""
    from postertui.dashboard.app import DashboardApp
    from postertui.dashboard.charts.grid import ChartGrid
    from postertui.dashboard.charts.zoom import ZoomScreen
    from postertui.dashboard.filter.bar import FilterInput
    from postertui.dashboard.filter.checklists import ChecklistScreen
    from postertui.dashboard.filter.saved import SavedFiltersScreen
    from postertui.dashboard.main import MainScreen
    from postertui.dashboard.screens.confirm import ConfirmScreen
    from postertui.dashboard.screens.help import HelpScreen
    from postertui.dashboard.screens.prompt import PromptScreen
    from postertui.dashboard.table.widget import RunTable
    from postertui.dashboard.watch.logview import LogView
    from postertui.dashboard.watch.runscreen import RunScreen

    for owner in (
        DashboardApp, MainScreen, RunTable, ChartGrid, FilterInput, ZoomScreen, ChecklistScreen,
        SavedFiltersScreen, RunScreen, LogView, HelpScreen, ConfirmScreen, PromptScreen,
    ):  # fmt: skip
        for binding in owner.BINDINGS:
            if isinstance(binding, Binding) and binding.id:
                yield binding


def check_keys(keys: Mapping[str, str], path: Path) -> None:
    """Raise `UserError` where `keys` names an action that does not exist, or gives it no key."""
    if not keys:
        return
    known = sorted({b.id for b in bindings() if b.id})
    for name, wanted in keys.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise UserError(
                f"{path}: [keys] has no action `{name}`; near: {', '.join(near or known[:5])}"
            )
        if not all(key.strip() for key in wanted.split(",")):
            raise UserError(f"{path}: [keys] gives `{name}` no key")
