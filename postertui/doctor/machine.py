"""Versions, devices and weights."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator

from postertui.system.errors import UserError
from postertui.system.finding import Finding

#: Distributions whose versions are shown, in this order.
PACKAGES = ("numpy", "polars", "plotnine", "textual", "tensorflow", "keras", "jax", "ray")


def check_versions() -> Iterator[Finding]:
    versions = {name: _version(name) for name in PACKAGES}
    parts = [f"postertui {_version('postertui') or '?'}", f"Python {platform.python_version()}"]
    parts += [f"{name} {version}" for name, version in versions.items() if version]
    yield Finding("versions", "ok", ", ".join(parts))
    if not versions["keras"] or not (versions["tensorflow"] or versions["jax"]):
        yield Finding(
            "versions",
            "note",
            "nothing to train with; the dashboard and the figures work",
            "pip install 'postertui[train]'",
        )


def check_devices() -> Iterator[Finding]:
    from postertui.supervisor.backends.devices import find_gpus, usable_cores

    yield Finding("devices", "ok", f"{usable_cores()} CPU cores")
    gpus = find_gpus()
    if gpus:
        yield Finding("devices", "ok", ", ".join(_describe_gpu(gpu) for gpu in gpus))
    else:
        yield Finding("devices", "ok", "no GPU: jobs train on the CPU")


def check_weights() -> Iterator[Finding]:
    from postertui.data.weights import check_file, imagenet_path

    path = imagenet_path()
    if not path.is_file():
        yield Finding(
            "weights",
            "note",
            f"no ImageNet weights at {path}; they are fetched when first needed",
            "without a network: --weights FILE, or --weights random",
        )
        return
    try:
        check_file(path)
    except UserError as error:
        yield Finding("weights", "wrong", str(error), f"remove {path}")
    else:
        yield Finding("weights", "ok", f"ImageNet weights at {path}")


def _describe_gpu(gpu: str) -> str:
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(int(gpu.removeprefix("gpu:")))
            name = pynvml.nvmlDeviceGetName(handle)
            total = pynvml.nvmlDeviceGetMemoryInfo(handle).total
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # Its name alone is better than nothing.
        return gpu
    return f"{gpu} {name} ({total >> 30} GB)"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
