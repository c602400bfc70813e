"""The machine's NVIDIA GPUs as NVML lists them, and what CUDA_VISIBLE_DEVICES leaves of them.

NVML (the library behind nvidia-smi) talks to the driver and needs neither CUDA nor a framework. It
lists all devices, numbered by their place on the bus, whatever CUDA_VISIBLE_DEVICES says.
"""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """One device.

    Parameters
    ----------
    index
        Its number, by its place on the bus.
    uuid, name
        As nvidia-smi shows them; empty where the driver does not tell.
    memory
        Bytes, where known.
    parts
        The UUIDs of its MIG instances, where it is divided into some.
    """

    index: int
    uuid: str = ""
    name: str = ""
    memory: int | None = None
    parts: tuple[str, ...] = ()

    def describe(self) -> str:
        """`gpu:0 NVIDIA H100 80GB HBM3 (79 GB)`."""
        text = f"gpu:{self.index} {self.name}".rstrip()
        if self.memory:
            text += f" ({self.memory >> 30} GB)"
        if self.parts:
            text += f", {len(self.parts)} MIG instances"
        return text


@dataclass(frozen=True)
class GpuInventory:
    """All devices that NVML shows.

    Parameters
    ----------
    driver
        The driver's version; empty where it is unknown.
    problem
        Why the devices cannot be used although the machine has some.
    """

    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    problem: str = ""


def read_gpus(nvml: Any = None, root: Path = Path("/")) -> GpuInventory:
    """The GPUs of this machine.

    Parameters
    ----------
    nvml
        The module pynvml; None imports it.
    root
        Where /proc is.
    """
    has_driver = (root / "proc/driver/nvidia/version").exists()
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            problem = "the package nvidia-ml-py is missing: pip install 'postertui[gpu]'"
            return GpuInventory(problem=problem if has_driver else "")
    try:
        nvml.nvmlInit()
    except Exception as error:
        # NVML's classes of errors cannot be named where it is not installed.
        return GpuInventory(problem=_explain(error, has_driver=has_driver))
    driver = ""
    try:
        with contextlib.suppress(Exception):
            driver = _text(nvml.nvmlSystemGetDriverVersion())
        count = nvml.nvmlDeviceGetCount()
        return GpuInventory(tuple(_read_gpu(nvml, index) for index in range(count)), driver)
    except Exception as error:
        return GpuInventory(driver=driver, problem=_explain(error, has_driver=has_driver))
    finally:
        with contextlib.suppress(Exception):
            nvml.nvmlShutdown()


def _explain(error: Exception, *, has_driver: bool) -> str:
    """Why NVML does not work; empty where the machine just has no GPU."""
    name, text = type(error).__name__, " ".join(str(error).split())
    if "LibRmVersionMismatch" in name or "version mismatch" in text.lower():
        return "the NVIDIA driver and its libraries have different versions: reboot the machine"
    if "LibraryNotFound" in name or "Shared Library Not Found" in text:
        problem = (
            "the NVIDIA driver is loaded, but its library libnvidia-ml.so is not here "
            "(a container needs `--gpus all`)"
        )
        return problem if has_driver else ""
    if "DriverNotLoaded" in name or "Driver Not Loaded" in text:
        return "the NVIDIA driver does not answer although it is loaded" if has_driver else ""
    if "NoPermission" in name or "Insufficient Permissions" in text:
        return "this account may not use /dev/nvidia*: add it to their group"
    return f"NVML: {text or name}"


def _read_gpu(nvml: Any, index: int) -> Gpu:
    uuid, name, memory, parts = "", "", None, []
    with contextlib.suppress(Exception):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        with contextlib.suppress(Exception):
            uuid = _text(nvml.nvmlDeviceGetUUID(handle))
        with contextlib.suppress(Exception):
            name = _text(nvml.nvmlDeviceGetName(handle))
        with contextlib.suppress(Exception):
            memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
        with contextlib.suppress(Exception):
            for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
                with contextlib.suppress(Exception):
                    part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
                    parts.append(_text(nvml.nvmlDeviceGetUUID(part)))
    return Gpu(index, uuid, name, memory, tuple(parts))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@dataclass(frozen=True)
class VisibleDevices:
    """What CUDA_VISIBLE_DEVICES leaves.

    Parameters
    ----------
    devices
        `gpu:<index>` or `gpu:<MIG UUID>`, in the order of the variable.
    hidden
        What it hides, named in the same way.
    note
        What in the variable does not count, and why; empty where everything does.
    error
        Why the variable names no device although it means to; else empty.
    """

    devices: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    note: str = ""
    error: str = ""


def resolve_visible_devices(value: str | None, gpus: tuple[Gpu, ...]) -> VisibleDevices:
    """Read CUDA_VISIBLE_DEVICES as CUDA does.

    CUDA takes the devices before the first entry that is invalid, and none at all where one is
    named twice.

    Parameters
    ----------
    value
        A list of indices, or of UUIDs of whole devices (`GPU-…`) or MIG instances (`MIG-…`) by any
        unique prefix; None where the variable is not set, which hides nothing.
    gpus
        All devices of the machine.

    References
    ----------
    CUDA C++ Programming Guide, "CUDA Environment Variables".
    """
    every = [name for gpu in gpus for name in _names_of(gpu)]
    if value is None:
        return VisibleDevices(tuple(every))
    entries = [entry.strip() for entry in value.split(",")]
    chosen: list[str] = []
    note = ""
    for entry in entries:
        device = _resolve(entry, gpus)
        if device is None:
            # `-1` and the empty text are how users hide what follows on purpose.
            if entry not in ("", "-1"):
                ignored = ", ".join(entries[entries.index(entry) :])
                note = f"CUDA_VISIBLE_DEVICES={value}: the list ends before {ignored}: "
                note += _why_invalid(entry, gpus)
            break
        if device in chosen:
            error = f"CUDA_VISIBLE_DEVICES={value} names {device} twice, and CUDA then shows none"
            return VisibleDevices((), tuple(every), error=error)
        chosen.append(device)
    hidden = tuple(name for name in every if name not in chosen)
    if note and not chosen:
        error = f"CUDA_VISIBLE_DEVICES={value}: {_why_invalid(entries[0], gpus)}"
        return VisibleDevices((), hidden, error=error)
    return VisibleDevices(tuple(chosen), hidden, note)


def hides_all(value: str | None) -> bool:
    """Whether a value of CUDA_VISIBLE_DEVICES is meant to hide every GPU."""
    return value is not None and value.split(",")[0].strip() in ("", "-1", "NoDevFiles")


def _names_of(gpu: Gpu) -> list[str]:
    return [f"gpu:{part}" for part in gpu.parts] or [f"gpu:{gpu.index}"]


def _resolve(entry: str, gpus: tuple[Gpu, ...]) -> str | None:
    if entry.isdecimal():
        named = [gpu for gpu in gpus if gpu.index == int(entry)]
        # Of a divided device CUDA gives an index only its first instance.
        return _names_of(named[0])[0] if named else None
    if entry.startswith("GPU-"):
        names = [_names_of(gpu)[0] for gpu in gpus if gpu.uuid.startswith(entry)]
    elif entry.startswith("MIG-"):
        names = [f"gpu:{part}" for gpu in gpus for part in gpu.parts if part.startswith(entry)]
    else:
        return None
    return names[0] if len(names) == 1 else None


def _why_invalid(entry: str, gpus: tuple[Gpu, ...]) -> str:
    if not gpus:
        return "this machine has no GPU that the driver lists"
    if entry.isdecimal():
        available = "only GPU 0" if len(gpus) == 1 else f"GPUs 0 to {len(gpus) - 1}"
        return f"there is no GPU {entry}, there is {available}".replace("is GPUs", "are GPUs")
    if entry.startswith(("GPU-", "MIG-")):
        return f"no device, or more than one, has a UUID that begins with {entry}"
    return f"{entry!r} is neither a number nor a UUID (GPU-… or MIG-…)"
