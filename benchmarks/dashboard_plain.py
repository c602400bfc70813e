"""The floor: the same runs in an app of the same size that shows their newest numbers as text.

It reads through the same feed, at the same pace, and fills the same twenty cells, with stock
widgets: what any Textual program would cost that tells as much without drawing curves.
"""

from __future__ import annotations

from pathlib import Path

from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.message import Message
from textual.widgets import Static

from postertui.dashboard.state.feed import RunFeed
from postertui.dashboard.state.run_view import RunView

ACROSS, DOWN = 4, 5


class Changed(Message):
    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Changed)


class PlainApp(App[None]):
    """Twenty cells of text."""

    CSS = f"""
    Grid {{ grid-size: {ACROSS} {DOWN}; }}
    Static {{ width: 1fr; height: 1fr; }}
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.feed = RunFeed(folder, lambda: self.post_message(Changed()))
        self.cells: dict[str, Static] = {}

    def compose(self) -> ComposeResult:
        with Grid():
            for _ in range(ACROSS * DOWN):
                yield Static("", markup=False)

    def on_mount(self) -> None:
        self.free = list(self.query(Static))
        self.feed.start()

    def on_unmount(self) -> None:
        self.feed.stop()

    def on_changed(self) -> None:
        for name, run in self.feed.drain().changed.items():
            if name not in self.cells and self.free:
                self.cells[name] = self.free.pop(0)
            if (cell := self.cells.get(name)) is not None:
                cell.update(text_of(run, *cell.size), layout=False)


def text_of(run: RunView, width: int, height: int) -> str:
    """The run's newest epochs as many as fit: epoch, train F, test F, loss."""
    lines = [f"{run.genre} {run.variant} {run.epoch}/{run.epochs}"[:width]]
    train, test = run.values("train", "f"), run.values("test", "f")
    for epoch in range(run.epoch, max(0, run.epoch - height + 1), -1):
        a, b = train[epoch - 1], test[epoch - 1]
        lines.append(
            f"{epoch:4d}  train {a or 0:.4f}  test {b or 0:.4f}  {(b or 0) - (a or 0):+.4f}"[:width]
        )
    return "\n".join(lines)
