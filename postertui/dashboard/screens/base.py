"""What every screen that shows runs has: the context, its handlers of actions, and what changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import ClassVar, Generic, TypeVar

from textual.screen import Screen

from postertui.dashboard.actions.registry import CHANGING
from postertui.dashboard.context import Context
from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.run_control import ReadOnlyError

Result = TypeVar("Result")
Handler = Callable[[], object]


class DashboardScreen(Screen[Result], Generic[Result]):
    """A screen on the runs. The application calls the methods below on every open one."""

    #: Regions of the registry that `?` shows first on this screen.
    HELP_REGIONS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.model = context.model
        self.theme = context.styles

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What the actions of the registry do here, by their ids."""
        return {}

    async def action_do(self, action_id: str) -> None:
        """Run the handler of the registry's action, unless it changes runs that are only read."""
        if self.context.setup.read_only and action_id in CHANGING:
            self.context.shell.show_message(str(ReadOnlyError()), "warning")
            return
        result = self.handlers[action_id]()
        if inspect.isawaitable(result):
            await result

    def runs_updated(self, updates: RunUpdates, *, structural: bool) -> None:
        """The model has taken `updates`; with `structural`, cells or rows came or went."""

    def options_changed(self, options: AbstractSet[str]) -> None:
        """These view options are different now."""

    def selection_changed(self) -> None:
        """Other runs are shown or pinned."""

    def marks_changed(self) -> None:
        """Other runs are marked."""

    def assessment_ready(self, assessment: Assessment) -> None:
        """An assessment has arrived in the model."""

    def summary_ready(self) -> None:
        """The model has a new summary: other verdicts, marks and sentences."""

    def machine_changed(self) -> None:
        """The model's machine is different now."""

    def repaint(self) -> None:
        """Draw everything again, in the colours that now hold."""
