"""Watching from the main screen: one run's screen, the device panel, messages of what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message

from postertui.dashboard.board import Board
from postertui.dashboard.live.view import RunView
from postertui.dashboard.numbers import duration, throughput
from postertui.dashboard.safe import clean
from postertui.dashboard.table.widget import RunTable
from postertui.dashboard.watch.announce import Happening, Hook
from postertui.dashboard.watch.machine import Machine, Watch
from postertui.dashboard.watch.panel import DevicePanel

if TYPE_CHECKING:
    from postertui.supervisor.folder import Status

WATCH_BINDINGS: list[BindingType] = [
    Binding("d", "devices", "Devices", id="watch.devices", tooltip="how busy the machine is"),
]


class MachineLooksDifferent(Message):
    """Only the newest matters."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, MachineLooksDifferent)


class WatchActions(Board):
    """Mixed into the main screen."""

    machine: Machine | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the queue starts no further run."""
        return self.machine is not None and self.machine.paused

    @property
    def is_idle(self) -> bool:
        """Whether runs wait and nobody works on them."""
        waiting = any(run.state == "queued" for run in self.model.runs.values())
        return waiting and self.machine is not None and not self.machine.status.running

    def on_mount(self) -> None:
        setup = self.dashboard.setup
        self.devices = DevicePanel(self.dashboard.book, ascii_only=setup.ascii_only)
        self.devices.display = self.model.options.devices
        self.mount(self.devices, after=self.top)
        self._hook = Hook(self.dashboard.config.on_end)
        self._watch = Watch(
            setup.runs, lambda machine: self.post_message(MachineLooksDifferent(machine))
        )
        self._watch.look_at_devices(self.model.options.devices)
        self._watch.start()

    def on_unmount(self) -> None:
        self._watch.stop()
        self._hook.close()

    @on(RunTable.Opened)
    def _run_opened(self, event: RunTable.Opened) -> None:
        self.open_run(event.run)

    def open_run(self, run: RunView) -> None:
        """Show the log and the config of `run`."""
        from postertui.dashboard.watch.runscreen import RunScreen

        self.app.push_screen(RunScreen(self.dashboard, run))

    def on_machine_looks_different(self, message: MachineLooksDifferent) -> None:
        self.machine = message.machine
        self.show_status()
        self.show_machine()

    def action_devices(self) -> None:
        shown = not self.model.options.devices
        self.model.set_options(devices=shown)
        self.devices.display = shown
        self._watch.look_at_devices(shown)
        self.show_machine()
        self.state_changed()

    def show_machine(self) -> None:
        """Bring the device panel up to date."""
        machine = self.machine
        if machine is None or not self.model.options.devices:
            return
        left, rate = self.dashboard.pace()
        counts = self.model.counts()
        queue = queue_line(machine.status, counts, left, rate, paused=machine.paused)
        self.devices.show(machine.devices, queue, machine.note)

    def tell(self, happened: list[Happening]) -> None:
        """Toast, bell and the user's command for what happened."""
        if self.machine is None or not self.machine.status.running:
            self._watch.hurry()
        config = self.dashboard.config
        for event in happened:
            self.app.notify(
                clean(event.text, 200),
                severity="error" if event.failed else "information",
                markup=False,
                timeout=10,
            )
            if problem := self._hook.run(clean(event.text, 500)):
                self.say(clean(problem, 200), severity="warning")
        if happened and config.bell:
            self.app.bell()


def queue_line(
    status: Status,
    counts: dict[str, int],
    remaining: float | None,
    rate: float | None,
    *,
    paused: bool,
) -> tuple[tuple[str, str], ...]:
    """The queue in a line: at work, waiting, how fast, how long, and what is in the way."""
    at_work = sum(job.run is not None for job in status.jobs) if status.running else 0
    parts: list[tuple[str, str]] = [(" queue ", "bold")]
    if status.running:
        of_all = f" of {status.slots}" if status.slots else ""
        parts.append((f"{at_work}{of_all} at work", "running"))
    else:
        parts.append(("nobody at work", "dim"))
    parts.append((f"  {counts.get('queued', 0)} waiting", "text"))
    if rate:
        parts.append((f"  {throughput(rate)}", "text"))
    if remaining is not None:
        parts.append((f"  {duration(remaining)} left", "text"))
    if paused:
        parts.append(("  paused", "interrupted"))
    elif status.waiting:
        parts.append((f"  {clean(status.waiting, 120)}", "interrupted"))
    return tuple(parts)
