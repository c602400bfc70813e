"""The machine on the main screen: a line at the bottom, and a panel of devices on request."""

from __future__ import annotations

from postertui.dashboard.context import Context
from postertui.dashboard.state.status_line import failure_text, queue_text, strip_text
from postertui.dashboard.widgets.device_panel import DevicePanel
from postertui.dashboard.widgets.machine_strip import MachineStrip

#: Lines of the screen from which on the strip is always there, and where it has something to say.
ROOMY, LEAST_HEIGHT = 30, 20


class MachineRegions:
    """Shows the model's machine in `strip` and `panel`."""

    def __init__(self, context: Context) -> None:
        self._model = context.model
        self.strip = MachineStrip(context.styles)
        self.panel = DevicePanel(context.styles, ascii_only=context.setup.ascii_only)
        self.strip.display = False

    def show(self, height: int) -> None:
        """Bring both up to date, on a screen of `height` lines."""
        self.show_strip(height)
        self.panel.display = self._model.options.devices
        machine = self._model.machine
        if machine is None or not self._model.options.devices:
            return
        remaining, rate = self._model.outlook()
        counts = self._model.states.counts
        queue = queue_text(machine.status, counts, remaining, rate, paused=machine.paused)
        self.panel.show(machine.devices, queue, machine.note)

    def show_strip(self, height: int) -> None:
        """Show queue, devices and failures where there is room, or something to say."""
        model, machine = self._model, self._model.machine
        failed = model.failed_runs
        has_room = height >= ROOMY or (
            height >= LEAST_HEIGHT
            and (bool(failed) or any(r.is_live for r in model.states.open_runs.values()))
        )
        self.strip.display = has_room and machine is not None and bool(model.runs)
        if machine is None or not self.strip.display:
            return
        remaining, _ = model.outlook()
        queue = strip_text(machine.status, model.states.counts, remaining, paused=machine.paused)
        self.strip.show(queue, machine.devices, failure_text(failed))
