"""How busy the machine is: CPU and memory, and each GPU where there is one."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from postertui.system.text import to_single_line

#: Samples of two seconds that make one value of a device's history, and values that are kept.
BUCKET, HISTORY = 7, 8

_LEVELS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Device:
    """One device. Shares are 0..1, memory in bytes, temperature in °C; None where unknown.

    `history` holds the mean use of each quarter of a minute, the present one last.
    """

    name: str
    use: float | None
    memory_used: int | None
    memory_total: int | None
    temperature: int | None = None
    history: tuple[float, ...] = ()

    @property
    def memory_share(self) -> float | None:
        if self.memory_used is None or not self.memory_total:
            return None
        return self.memory_used / self.memory_total


class UseHistory:
    """The mean use of each `BUCKET` samples of a device, as many as are kept."""

    def __init__(self) -> None:
        self._means: deque[float] = deque(maxlen=HISTORY)
        self._count = 0

    def add(self, use: float) -> tuple[float, ...]:
        """The means with one more sample."""
        if self._count in (0, BUCKET):
            self._means.append(0.0)
            self._count = 0
        self._means[-1] = (self._means[-1] * self._count + use) / (self._count + 1)
        self._count += 1
        return tuple(self._means)


class DeviceSampler:
    """Reads the devices. Without NVML or a driver it finds no GPU, and `note` explains why."""

    def __init__(self, nvml: Any = None) -> None:
        self.note = ""
        self._nvml = nvml
        self._handles: list[Any] = []
        self._histories: dict[str, UseHistory] = {}
        # Not at the top: it takes a tenth of the time to the first screen.
        import psutil

        self._machine = psutil
        psutil.cpu_percent()
        if nvml is None:
            try:
                import pynvml
            except ImportError:
                has_driver = Path("/proc/driver/nvidia").exists()
                self.note = "GPU bars: pip install nvidia-ml-py" if has_driver else "no GPU"
                return
            self._nvml = pynvml
        try:
            self._nvml.nvmlInit()
            total = self._nvml.nvmlDeviceGetCount()
            self._handles = [self._nvml.nvmlDeviceGetHandleByIndex(i) for i in range(total)]
        except Exception as error:
            # NVML raises its own classes, which cannot be named where it is not installed.
            self.note = f"no GPU ({to_single_line(error, 40)})"

    def sample(self) -> list[Device]:
        """CPU first, then the GPUs; to be called in equal intervals."""
        return [self._remember(device) for device in self._devices()]

    def _remember(self, device: Device) -> Device:
        if device.use is None:
            return device
        history = self._histories.setdefault(device.name, UseHistory())
        return replace(device, history=history.add(device.use))

    def _devices(self) -> list[Device]:
        memory = self._machine.virtual_memory()
        used = memory.total - memory.available
        cpu = Device("cpu", self._machine.cpu_percent() / 100, used, memory.total)
        return [cpu, *(self._gpu(i, handle) for i, handle in enumerate(self._handles))]

    def _gpu(self, index: int, handle: Any) -> Device:
        use = memory_used = memory_total = temperature = None
        with contextlib.suppress(Exception):
            use = self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        with contextlib.suppress(Exception):
            memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
            memory_used, memory_total = memory.used, memory.total
        with contextlib.suppress(Exception):
            temperature = self._nvml.nvmlDeviceGetTemperature(handle, 0)
        return Device(f"gpu{index}", use, memory_used, memory_total, temperature)


def gigabytes(size: int | None) -> str:
    """`3.2`, `140`: gibibytes."""
    if size is None:
        return "–"
    value = size / 2**30
    return f"{value:.1f}" if value < 99.5 else f"{value:.0f}"


def level_line(shares: Sequence[float]) -> str:
    """A character for each share; other than a sparkline's, its lowest is 0 and its highest 1."""
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round(max(0.0, min(1.0, share)) * top)] for share in shares)


def bar(share: float | None, width: int, *, ascii_only: bool = False) -> tuple[str, str]:
    """The filled and the empty part of a bar of `width` characters.

    Parameters
    ----------
    share
        How much is filled, between 0 and 1; None where it is unknown, which is shown as `?`.
    width
        In characters.
    """
    if share is None:
        return "", "?".center(width)
    full = max(0.0, min(1.0, share)) * width
    if ascii_only:
        filled = "#" * round(full)
        return filled, "." * (width - len(filled))
    whole, part = int(full), int((full % 1) * 8)
    filled = "█" * whole + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[part]
    return filled, "─" * (width - len(filled))
