"""The thread that looks at the supervisor and the devices, and says when they look different."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.dashboard.watch.devices import Device, Sampler
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.supervisor.folder import Status

PERIOD = 2.0


@dataclass(frozen=True)
class Machine:
    """How the machine stands: `devices` are read only while somebody looks at them."""

    status: Status
    paused: bool
    devices: tuple[Device, ...] = ()
    note: str = ""


class Watch:
    """Looks every `period` seconds until `stop`; `tell` is called from the thread."""

    def __init__(
        self,
        folder: Path,
        tell: Callable[[Machine], object],
        *,
        sampler: Callable[[], Sampler] = Sampler,
        period: float = PERIOD,
    ) -> None:
        self._folder = folder
        self._tell = tell
        self._make_sampler = sampler
        self._sampler: Sampler | None = None
        self._period = period
        self._with_devices = False
        self._wake = threading.Event()
        self._stopped = False
        self._seen: Machine | None = None
        self._thread = threading.Thread(target=self._loop, name="machine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def look_at_devices(self, wanted: bool) -> None:
        self._with_devices = wanted
        self._wake.set()

    def hurry(self) -> None:
        self._wake.set()

    def look(self) -> Machine:
        """How things stand now."""
        from postertui.supervisor import requests

        try:
            status, paused = requests.status(self._folder), requests.is_paused(self._folder)
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
            found = self.look()
            if found != self._seen:
                self._seen = found
                self._tell(found)
            self._wake.wait(self._period)
            self._wake.clear()
