"""The device panel: a bar a device, the queue, the pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from postertui.dashboard.monitoring.devices import Device, bar, gigabytes
from postertui.dashboard.text_width import StyledText

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


class DevicePanel(Widget):
    """As many lines as there are devices, and one for the queue."""

    can_focus = False

    def __init__(self, theme: ThemeStyles, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.theme = theme
        self.ascii_only = ascii_only
        self._devices: Sequence[Device] = ()
        self._queue: tuple[StyledText, ...] = ()
        self._note = ""

    def show(self, devices: Sequence[Device], queue: tuple[StyledText, ...], note: str) -> None:
        if (devices, queue, note) != (self._devices, self._queue, self._note):
            different = len(devices) != len(self._devices)
            self._devices, self._queue, self._note = devices, queue, note
            self.refresh(layout=different)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return min(len(self._devices) + 1, max(2, viewport.height // 4))

    @property
    def text(self) -> str:
        return "\n".join("".join(t for t, _ in self.row(y)) for y in range(len(self._devices) + 1))

    def row(self, y: int) -> tuple[StyledText, ...]:
        if y < len(self._devices):
            return self._device(self._devices[y])
        if y == len(self._devices):
            note: tuple[StyledText, ...] = ((f" {self._note} ", "dim"),) if self._note else ()
            return (*self._queue, *note)
        return ()

    def _device(self, device: Device) -> tuple[StyledText, ...]:
        width = max(6, min(24, (self.size.width - 42) // 2))
        parts: list[StyledText] = [(f" {device.name:<5}", "bold")]
        for label, share in (("use", device.use), ("mem", device.memory_share)):
            filled, empty = bar(share, width, ascii_only=self.ascii_only)
            style = "below" if share is not None and share > 0.92 else "accent"
            percent = f"{100 * share:3.0f}%" if share is not None else "   –"
            parts += [(f" {label} ", "dim"), (filled, style), (empty, "faint"), (percent, "text")]
        used, total = gigabytes(device.memory_used), gigabytes(device.memory_total)
        parts.append((f"  {used}/{total} GB", "dim"))
        if device.temperature is not None:
            hot = "below" if device.temperature >= 85 else "dim"
            parts.append((f"  {device.temperature}°C", hot))
        return tuple(parts)

    def render_line(self, y: int) -> Strip:
        base = self.theme["on-surface"]
        strip = Strip([Segment(t, self.theme.over(base, s)) for t, s in self.row(y)])
        return strip.adjust_cell_length(self.size.width, base)
