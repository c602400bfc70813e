"""The slots on which jobs run: each a device and the environment that pins a job to it."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """Room for one job. `device` is `cpu` or `gpu:<n>`."""

    device: str
    number: int

    @property
    def environment(self) -> dict[str, str]:
        gpu = self.device.removeprefix("gpu:") if self.device.startswith("gpu:") else "-1"
        return {
            "POSTERTUI_DEVICE": self.device,
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": gpu,
        }


#: One thread a job: two jobs on two cores finish more than one job with two threads.
SINGLE_THREADED = dict.fromkeys(
    (
        "POSTERTUI_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)

#: Quiet, and a device's memory taken as it is needed, so that several jobs fit on one.
FRAMEWORK_DEFAULTS = {
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "PYTHONUNBUFFERED": "1",
}


def make_slots(jobs: int | None, gpus: list[str] | None = None) -> list[Slot]:
    """`jobs` at a time on each GPU (default 1), or on the CPU (default one per core)."""
    devices = find_gpus() if gpus is None else gpus
    if devices:
        return [Slot(d, n) for n in range(jobs or 1) for d in devices]
    return [Slot("cpu", n) for n in range(jobs or usable_cores())]


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def find_gpus() -> list[str]:
    """`gpu:<n>` or `gpu:<UUID>` for each NVIDIA device that jobs may use; none without a driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            count = pynvml.nvmlDeviceGetCount()
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # No library, no driver, no permission: there is no GPU to use.
        return []
    numbers = [str(n) for n in range(count)]
    if visible is not None:
        # A whole device or a part of one may also be named by its UUID.
        asked = [part.strip() for part in visible.split(",")]
        numbers = [n for n in asked if n in numbers or n.startswith(("GPU-", "MIG-"))]
    return [f"gpu:{n}" for n in numbers]
