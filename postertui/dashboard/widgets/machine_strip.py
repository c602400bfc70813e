"""The line above the keys: the queue, the last failure, and how busy each device has been."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from postertui.dashboard.monitoring.devices import Device, level_line
from postertui.dashboard.text_width import StyledText, cells, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postertui.dashboard.terminal.theme import ThemeStyles


#: Fewer characters than this say nothing about a failure.
_LEAST_FAILURE = 16


class MachineStrip(Widget):
    """One line. Where room is short the devices go first, then what is left of the failure."""

    can_focus = False

    def __init__(self, theme: ThemeStyles) -> None:
        super().__init__(id="machine-strip")
        self.theme = theme
        self._queue: tuple[StyledText, ...] = ()
        self._devices: Sequence[Device] = ()
        self._failure = ""

    def show(self, queue: tuple[StyledText, ...], devices: Sequence[Device], failure: str) -> None:
        if (queue, devices, failure) != (self._queue, self._devices, self._failure):
            self._queue, self._devices, self._failure = queue, devices, failure
            self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self.refresh()

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts(self.size.width))

    def parts(self, width: int) -> list[StyledText]:
        """Queue, devices, failure, in at most `width` characters."""
        room = width - _width(self._queue)
        failure = min(cells(self._failure) + 2, room) if self._failure else 0
        devices: list[StyledText] = []
        for device in self._devices:
            described = _describe(device)
            if _width(devices) + _width(described) > room - failure:
                break
            devices += described
        parts = [*self._queue, *devices]
        room -= _width(devices)
        if self._failure and room >= _LEAST_FAILURE:
            parts.append((" " + fit(self._failure, room - 2, right=True) + " ", "failed"))
        return parts

    def render_line(self, y: int) -> Strip:
        base = self.theme["on-surface"]
        parts = self.parts(self.size.width)
        strip = Strip([Segment(text, self.theme.over(base, style)) for text, style in parts])
        return strip.adjust_cell_length(self.size.width, base)


def _describe(device: Device) -> list[StyledText]:
    """`cpu 96% ▅▆▇▇█▇▇ mem 11%`."""
    parts: list[StyledText] = [(f"  {device.name}", "dim")]
    if device.use is not None:
        parts.append((f" {100 * device.use:.0f}%", "text"))
    parts.append((f" {level_line(device.history)}", "accent"))
    if device.memory_share is not None:
        style = "below" if device.memory_share > 0.92 else "text"
        parts += [(" mem", "dim"), (f" {100 * device.memory_share:.0f}%", style)]
    return parts


def _width(parts: Sequence[StyledText]) -> int:
    return sum(cells(text) for text, _ in parts)
