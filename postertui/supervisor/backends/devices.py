"""Which devices jobs train on, and the environment that pins a job to one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.supervisor.folder import DeviceRequest
from postertui.supervisor.installed import current_versions
from postertui.system.atomic_files import write_atomic
from postertui.system.cgroups import usable_cores, usable_memory
from postertui.system.errors import UserError
from postertui.system.gpus import GpuInventory, hides_all, read_gpus, resolve_visible_devices
from postertui.system.processes import boot_id
from postertui.system.regular_files import MAX_JSON_BYTES, read_regular
from postertui.training.accelerators import FrameworkReport, ask_framework

#: More jobs on a core only take turns.
JOBS_PER_CORE = 8

#: Memory of a job that has only imported its framework, in bytes.
SMALLEST_JOB = 300 << 20

#: Memory that a job on the CPU needs at least, in bytes: TensorFlow and a study of the 2017 size.
JOB_MEMORY = 1 << 30


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


@dataclass(frozen=True)
class DeviceChoice:
    """The devices to train on.

    Parameters
    ----------
    devices
        `gpu:<n>` for each GPU; empty for the CPU.
    warnings
        GPUs that are there and are not used, and why; a line each.
    hidden
        The GPUs that CUDA_VISIBLE_DEVICES hides.
    is_required
        Whether a GPU was asked for by name, so that a job without it must not train.
    """

    devices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    is_required: bool = False


def choose_devices(
    request: DeviceRequest | None,
    visible: str | None,
    inventory: GpuInventory,
    framework: FrameworkReport | None,
) -> DeviceChoice:
    """Decide on which devices to train.

    Parameters
    ----------
    request
        What the user asked for by an option or in the study.
    visible
        CUDA_VISIBLE_DEVICES; one that names a device asks for a GPU, too.
    inventory
        What NVML lists.
    framework
        What the framework reports; None where it was not asked.

    Raises
    ------
    UserError
        Where a GPU was asked for by name and cannot be used: with the reason, and with
        `--device cpu` as the way out.
    """
    if request == "cpu":
        return DeviceChoice()
    names_device = visible is not None and not hides_all(visible)
    if request == "gpu" and hides_all(visible):
        raise _refusal("a GPU", f"CUDA_VISIBLE_DEVICES={visible} hides all of them")
    wanted = f"CUDA_VISIBLE_DEVICES={visible}" if names_device else "a GPU"
    is_requested = names_device or request == "gpu"
    named = resolve_visible_devices(visible, inventory.gpus)
    reason = inventory.problem or named.error
    if not reason and is_requested and not inventory.gpus:
        reason = "this machine has no GPU that the NVIDIA driver lists"
    if not reason and named.devices and framework is not None:
        reason = _why_unusable(framework)
    if reason:
        if is_requested:
            raise _refusal(wanted, reason)
        gpu_names = ", ".join(gpu.describe() for gpu in inventory.gpus) or "a GPU"
        warning = f"{gpu_names}: not used, jobs train on the CPU: {reason}"
        return DeviceChoice(warnings=(warning,), hidden=named.hidden)
    notes = (named.note,) if named.note else ()
    return DeviceChoice(named.devices, notes, named.hidden, is_requested)


def _why_unusable(framework: FrameworkReport) -> str:
    """Why the framework cannot train on the GPUs that are there; empty where it can."""
    if framework.accelerators is None:
        return framework.reason
    if framework.accelerators:
        return ""
    reason = framework.reason or "it does not say why"
    return f"{framework.framework} does not see it: {reason}"


def _refusal(wanted: str, reason: str) -> UserError:
    reason = reason.removeprefix(f"{wanted}: ")
    return UserError(f"{wanted} was asked for and cannot be used: {reason}; --device cpu goes on")


def find_devices(
    request: DeviceRequest | None, environment: Mapping[str, str], runs: Path | None = None
) -> DeviceChoice:
    """Look at the machine and decide; see `choose_devices`.

    The framework is asked only where there are GPUs, for it takes seconds.

    Parameters
    ----------
    request
        What the user asked for; None where nothing was.
    environment
        Of the jobs: its `CUDA_VISIBLE_DEVICES` counts.
    runs
        The runs folder, where the framework's answer is kept: it holds as long as boot, driver,
        framework and its environment are the same.

    Raises
    ------
    UserError
        As `choose_devices`.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if request == "cpu" or (request != "gpu" and hides_all(visible)):
        inventory = GpuInventory() if request == "cpu" else read_gpus()
        return DeviceChoice(hidden=resolve_visible_devices(visible, inventory.gpus).hidden)
    inventory = read_gpus()
    framework = None
    if inventory.gpus and resolve_visible_devices(visible, inventory.gpus).devices:
        framework = _framework_report(environment, inventory, runs)
    return choose_devices(request, visible, inventory, framework)


class _KeptReport(msgspec.Struct, frozen=True):
    key: tuple[str, ...]
    report: FrameworkReport


def _framework_report(
    environment: Mapping[str, str], inventory: GpuInventory, runs: Path | None
) -> FrameworkReport:
    key = _report_key(environment, inventory)
    path = None if runs is None else runs / layout.DEVICE_REPORT
    if path is not None:
        try:
            kept = msgspec.json.decode(read_regular(path, MAX_JSON_BYTES), type=_KeptReport)
        except (OSError, ValueError, RecursionError):
            kept = None
        if kept is not None and kept.key == key:
            return kept.report
    variables = dict(environment) | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    for name, value in FRAMEWORK_DEFAULTS.items():
        variables.setdefault(name, value)
    report = ask_framework(variables)
    if path is not None and report.accelerators is not None and path.parent.is_dir():
        # Where it cannot be kept, the framework is asked again next time.
        with contextlib.suppress(OSError):
            write_atomic(path, msgspec.json.encode(_KeptReport(key, report)) + b"\n")
    return report


def _report_key(environment: Mapping[str, str], inventory: GpuInventory) -> tuple[str, ...]:
    """What the framework's report depends on."""
    names = ("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND", "LD_LIBRARY_PATH", "POSTERTUI_TRAINER")
    return (
        boot_id(),
        inventory.driver,
        *(gpu.uuid for gpu in inventory.gpus),
        *(f"{name}={environment.get(name)}" for name in names),
        *(f"{name} {version}" for name, version in sorted(current_versions().items())),
    )


def make_slots(jobs: int | None, gpus: tuple[str, ...] = ()) -> list[Slot]:
    """The places at which runs are trained.

    Never more than `max_jobs` in all, but at least one on each GPU.

    Parameters
    ----------
    jobs
        How many at a time on each GPU (1 by default), or on the CPU (`default_cpu_jobs`).
    """
    limit = max_jobs()
    if gpus:
        on_each = max(1, min(jobs or 1, limit // len(gpus)))
        return [Slot(device, number) for number in range(on_each) for device in gpus]
    return [Slot("cpu", number) for number in range(min(jobs or default_cpu_jobs(), limit))]


def max_jobs(root: Path = Path("/")) -> int:
    """The most jobs that this machine can hold, whatever is asked for; at least one."""
    return max(1, min(JOBS_PER_CORE * usable_cores(root), usable_memory(root) // SMALLEST_JOB))


def default_cpu_jobs(root: Path = Path("/")) -> int:
    """One per usable core, but no more than there is memory for; at least one."""
    return max(1, min(usable_cores(root), usable_memory(root) // JOB_MEMORY))
