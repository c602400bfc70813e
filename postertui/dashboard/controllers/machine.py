"""The supervisor and the devices as they change, and announcements of what ended."""

from __future__ import annotations

from collections.abc import Sequence

from postertui.dashboard.context import Context, Severity
from postertui.dashboard.monitoring.end_command import EndCommand
from postertui.dashboard.monitoring.machine_monitor import Machine, MachineMonitor
from postertui.dashboard.state.announcements import Announcement
from postertui.system.text import to_single_line


class MachineController:
    """Owns the monitoring thread; `on_change` is called from it with each new state."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shell = context.shell
        self._model = context.model
        self._end_command = EndCommand(context.config.on_end)
        self._monitor = MachineMonitor(
            context.setup.runs,
            lambda machine: context.shell.from_thread(self._changed, machine),
            count_waiting=context.feed.count_waiting,
        )

    def start(self) -> None:
        self._monitor.start()

    def sample_devices(self) -> None:
        """Read the devices from now on: once the first picture is there, for it takes a while."""
        self._monitor.sample_devices(True)

    def close(self) -> None:
        self._monitor.stop()
        self._end_command.close()

    def _changed(self, machine: Machine) -> None:
        self._model.machine = machine
        self._shell.machine_changed()

    def toggle_devices(self) -> None:
        """Show or hide the device panel."""
        shown = not self._model.options.devices
        self._model.set_options(devices=shown)
        self._shell.options_changed({"devices"})

    def announce(self, announcements: Sequence[Announcement]) -> None:
        """Toast, bell and the user's command for what happened."""
        machine = self._model.machine
        if machine is None or not machine.status.running:
            self._monitor.wake()
        for event in announcements:
            severity: Severity = "error" if event.failed else "information"
            self._shell.show_message(to_single_line(event.text, 200), severity, seconds=10)
            if problem := self._end_command.run(to_single_line(event.text, 500)):
                self._shell.show_message(to_single_line(problem, 200), "warning")
        if announcements and self._context.config.bell:
            self._shell.ring()
