"""Processes of jobs on a node: leftovers to kill, and the device memory that one uses."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import msgspec

from postertui.runs.lock import is_locked
from postertui.supervisor.backends.ray.node_folder import local_lines
from postertui.system.processes import Process


def kill_owner(folder: Path, patience: float) -> None:
    """Kill a job that still trains the run for an agent that is gone; wait for its lock."""
    deadline = time.monotonic() + patience
    while is_locked(folder) and time.monotonic() < deadline:
        starts = [line for line in local_lines(folder) if line.header.event == "start"]
        owner = Process.from_event(msgspec.json.decode(starts[-1].text)) if starts else None
        if owner is not None and owner.is_alive():
            kill_group(owner.pid)
        time.sleep(0.05)


def kill_group(group: int) -> None:
    """Kill what is left of a process group, if anything."""
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def gpu_share(pid: int) -> float | None:
    """The fraction of its device's memory that the process uses; None without a GPU."""
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            for number in range(pynvml.nvmlDeviceGetCount()):
                device = pynvml.nvmlDeviceGetHandleByIndex(number)
                for process in pynvml.nvmlDeviceGetComputeRunningProcesses(device):
                    if process.pid == pid and process.usedGpuMemory:
                        total = pynvml.nvmlDeviceGetMemoryInfo(device).total
                        return float(process.usedGpuMemory / total)
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # No library, no driver, no permission: there is nothing to measure.
        return None
    return None
