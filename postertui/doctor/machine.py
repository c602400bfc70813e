"""Versions, devices and weights."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator

from postertui.system.errors import UserError
from postertui.system.finding import Finding
from postertui.system.text import pluralize

#: Distributions whose versions are shown, in this order.
PACKAGES = ("numpy", "polars", "plotnine", "textual", "tensorflow", "keras", "jax", "ray")


def check_versions() -> Iterator[Finding]:
    """The versions of what trains, and whether there is anything that does."""
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
    """CPU and memory as this process may use them, the GPUs, and whether jobs can use those."""
    from postertui.supervisor.backends.devices import find_devices
    from postertui.system.gpus import read_gpus

    yield Finding("devices", "ok", _describe_cpu())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        choice = find_devices(None, os.environ)
    except UserError as error:
        yield Finding("devices", "wrong", str(error))
        return
    for warning in choice.warnings:
        yield Finding("devices", "wrong", warning, "mend that, or train with --device cpu")
    if choice.devices:
        descriptions = {f"gpu:{gpu.index}": gpu.describe() for gpu in read_gpus().gpus}
        used = ", ".join(descriptions.get(device, device) for device in choice.devices)
        yield Finding("devices", "ok", used)
    elif not choice.warnings and not choice.hidden:
        yield Finding("devices", "ok", "no GPU: jobs train on the CPU")
    if choice.hidden:
        text = f"CUDA_VISIBLE_DEVICES={visible} hides {', '.join(choice.hidden)}"
        yield Finding("devices", "note", text)


def check_session() -> Iterator[Finding]:
    """Whether training goes on after a logout."""
    from postertui.system.sessions import logout_advice

    if advice := logout_advice():
        text = "this machine ends all of a user's processes at logout (KillUserProcesses=yes)"
        yield Finding("session", "note", text, f"{advice}, so that training goes on")


def _describe_cpu() -> str:
    from postertui.supervisor.backends.devices import default_cpu_jobs
    from postertui.system.cgroups import read_limits, usable_cores, usable_memory

    limits = read_limits()
    text = pluralize(usable_cores(), "CPU core")
    if limits.cpus is not None:
        text += f" (limited to {limits.cpus:g} of CPU time)"
    text += f", {usable_memory() / 2**30:.1f} GB memory"
    if limits.memory is not None:
        text += " (limited)"
    return f"{text}: {pluralize(default_cpu_jobs(), 'job')} at a time on the CPU"


def check_weights() -> Iterator[Finding]:
    """Whether the ImageNet weights are there and whole."""
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


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
