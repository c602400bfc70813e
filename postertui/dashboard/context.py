"""What a screen and a controller are given: the state they share, and the shell around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from textual.screen import Screen
from textual.timer import Timer

from postertui.dashboard.launching.memory import LaunchMemory
from postertui.dashboard.setup import Setup
from postertui.dashboard.state.arrangement import Key
from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.feed import RunFeed
from postertui.dashboard.state.persistence import UserConfig
from postertui.dashboard.state.run_control import RunControl
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.targets import Subject
from postertui.dashboard.state.view_model import ViewModel
from postertui.dashboard.terminal.theme import ThemeStyles

Severity = Literal["information", "warning", "error"]
T = TypeVar("T")


class Shell(Protocol):
    """The application as screens and controllers see it."""

    @property
    def has_pending_key(self) -> bool:
        """Whether a key was pressed just now and nothing has been shown since."""

    def show_message(
        self, text: str, severity: Severity = "information", *, title: str = "", seconds: float = 4
    ) -> None:
        """Show a message that goes away by itself."""

    def ring(self) -> None:
        """Ring the terminal's bell."""

    def ask(self, dialog: Screen[T], then: Callable[[T | None], None]) -> None:
        """Show `dialog`, and call `then` with its answer, None where it was left without one."""

    def in_thread(self, work: Callable[[], object], group: str, *, exclusive: bool = False) -> None:
        """Do `work` in a thread; with `exclusive` it replaces what its `group` does."""

    def from_thread(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call `callback` in the event loop, from a thread; does not wait for its end."""

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` in `seconds`."""

    def open_run(self, run: RunView) -> None:
        """Show the log and the config of `run`."""

    def open_cell(self, key: Key, epoch: int | None) -> None:
        """Show the cell `key` on the whole screen."""

    def open_analysis(self, question: str, subject: Subject) -> None:
        """Show what the command `question` (compare, leaderboard, bars) says of `subject`."""

    def open_launch_form(self) -> None:
        """Show the form that starts runs."""

    def open_preview(self, paths: Sequence[Path]) -> None:
        """Show the pictures of `paths`. Raises `UserError` where none can be shown."""

    def options_changed(self, options: AbstractSet[str]) -> None:
        """Have every screen show that these view options changed."""

    def selection_changed(self) -> None:
        """Have every screen show that other runs are shown or pinned."""

    def marks_changed(self) -> None:
        """Have every screen show that other runs are marked."""

    def assessment_ready(self, assessment: Assessment) -> None:
        """Have every screen show a new assessment."""

    def summary_ready(self) -> None:
        """Have every screen show the model's new summary."""

    def machine_changed(self) -> None:
        """Have every screen show the new state of the machine."""

    def settle_memory(self) -> None:
        """Called when much has been made that stays, such as imported libraries."""


@dataclass(frozen=True)
class Context:
    """Shared by all screens and controllers."""

    setup: Setup
    config: UserConfig
    model: ViewModel
    control: RunControl
    feed: RunFeed
    styles: ThemeStyles
    shell: Shell
    launch_memory: LaunchMemory = field(default_factory=LaunchMemory)
