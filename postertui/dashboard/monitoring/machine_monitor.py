"""The thread that samples the supervisor and the devices, and reports changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.dashboard.monitoring.devices import Device, DeviceSampler
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.supervisor.folder import Status

PERIOD = 2.0


@dataclass(frozen=True)
class Machine:
    """The supervisor and the devices; `devices` are read once they are asked for."""

    status: Status
    paused: bool
    devices: tuple[Device, ...] = ()
    note: str = ""


class MachineMonitor:
    """Samples every `PERIOD` seconds until `stop`; `on_change` is called from the thread.

    `count_waiting` is how many runs wait for a supervisor, by the runs that were read; without it,
    as many as the last supervisor left behind.
    """

    def __init__(
        self,
        folder: Path,
        on_change: Callable[[Machine], object],
        *,
        count_waiting: Callable[[], int] | None = None,
        sampler: Callable[[], DeviceSampler] = DeviceSampler,
    ) -> None:
        self._folder = folder
        self._on_change = on_change
        self._count_waiting = count_waiting
        self._make_sampler = sampler
        self._sampler: DeviceSampler | None = None
        self._with_devices = False
        self._wake = threading.Event()
        self._stopped = False
        self._last: Machine | None = None
        self._thread = threading.Thread(target=self._loop, name="machine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def sample_devices(self, enabled: bool) -> None:
        self._with_devices = enabled
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    def sample(self) -> Machine:
        """The state now."""
        from postertui.supervisor import requests

        try:
            waiting = None
            if self._count_waiting is not None and not requests.has_supervisor(self._folder):
                waiting = self._count_waiting()
            status = requests.status(self._folder, waiting)
            paused = requests.is_queue_paused(self._folder)
        except (UserError, OSError):
            from postertui.supervisor.folder import Status

            status, paused = Status(), False
        if not self._with_devices:
            return Machine(status, paused)
        if self._sampler is None:
            self._sampler = self._make_sampler()
        return Machine(status, paused, tuple(self._sampler.sample()), self._sampler.note)

    def _loop(self) -> None:
        while not self._stopped:
            machine = self.sample()
            if machine != self._last:
                self._last = machine
                self._on_change(machine)
            self._wake.wait(PERIOD)
            self._wake.clear()
