"""The last line: the keys that matter here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.app import App
from textual.strip import Strip

from postertui.dashboard.actions.key_meanings import has_other_meaning
from postertui.dashboard.actions.key_names import show_key
from postertui.dashboard.actions.registry import CHANGING
from postertui.dashboard.widgets.single_line import SingleLine

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


class KeyBar(SingleLine):
    """Lists the shown bindings of what has the focus first, as many as fit; clickable."""

    def __init__(self, theme: ThemeStyles, *, read_only: bool = False) -> None:
        super().__init__()
        self._hidden = CHANGING if read_only else frozenset()
        self.theme = theme
        self._spans: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.redraw())

    def keys(self) -> list[tuple[str, str]]:
        """(keys, description) of the bindings to show.

        First those whose key does something else on the main screen, with every such key; the
        always-there ones last.
        """
        keys: dict[str, list[str]] = {}
        labels: dict[str, str] = {}
        outer: list[str] = []
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or not active.enabled or binding.id in self._hidden:
                continue
            shown = keys.setdefault(binding.action, [])
            labels[binding.action] = binding.description
            if isinstance(active.node, App) and binding.action not in outer:
                outer.append(binding.action)
            if not shown or has_other_meaning(binding.key, binding.description):
                shown.append(binding.key)
        entries = [
            (",".join(keys[action]), labels[action]) for action in keys if action not in outer
        ]
        others = [e for e in entries if any(has_other_meaning(k, e[1]) for k in e[0].split(","))]
        inner = [*others, *(e for e in entries if e not in others)]
        return inner + [(",".join(keys[action]), labels[action]) for action in outer]

    def _draw(self) -> Strip:
        width = self.size.width
        entries = [
            ("/".join(map(show_key, k.split(","))), k.split(",")[0], d) for k, d in self.keys()
        ]
        # Help and quit are always in sight, whatever else is not.
        last = [e for e in entries if e[2] in ("Help", "Quit")]
        first = [e for e in entries if e not in last]
        reserved = sum(len(s) + len(d) + 3 for s, _, d in last)
        parts: list[Segment] = []
        self._spans = []
        used = 0
        for short, key, description in [*first, *last]:
            size = len(short) + len(description) + 3
            if used + size > (width if (short, key, description) in last else width - reserved):
                continue
            parts.append(Segment(f" {short} ", self.theme["key"]))
            parts.append(Segment(f"{description} ", self.theme["bar"]))
            self._spans.append((used, used + size, key))
            used += size
        parts.append(Segment(" " * max(0, width - used), self.theme["bar"]))
        return Strip(parts).adjust_cell_length(width)

    def on_click(self, event: events.Click) -> None:
        for start, stop, key in self._spans:
            if start <= event.x < stop:
                self.app.simulate_key(key)
