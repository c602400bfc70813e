"""What of a client's environment decides how jobs train, and where it differs from what they do.

A supervisor hands its own environment to the jobs it starts. A client that asks for runs while one
is at work, from another shell with other variables, is shown which of them do not count.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

#: Variables that decide on devices, memory and libraries. Nothing else of an environment is kept.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "KERAS_BACKEND",
    "LD_LIBRARY_PATH",
    "POSTERTUI_JOB_MEMORY_MB",
    "POSTERTUI_TRAINER",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GPU_ALLOCATOR",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
)

#: The key under which the interpreter, and with it the libraries, is noted.
PYTHON = "python"


def job_settings(device: str | None) -> dict[str, str]:
    """The settings by which a supervisor with this process's environment starts jobs."""
    settings = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    settings[PYTHON] = sys.prefix
    if device is not None:
        settings["--device"] = device
    return settings


def describe_ignored(
    wanted: Mapping[str, str], in_use: Mapping[str, str], device_given: bool
) -> list[str]:
    """What of `wanted` does not count while a supervisor goes by `in_use`, a line each.

    `device_given`: whether the client named a device; otherwise any is fine.
    """
    lines = []
    for name in (*VARIABLES, PYTHON, "--device"):
        if name == "--device" and not device_given:
            continue
        if wanted.get(name) != in_use.get(name):
            lines.append(_describe_difference(name, wanted.get(name), in_use.get(name)))
    return lines


def _describe_difference(name: str, wanted: str | None, in_use: str | None) -> str:
    separator = " " if name in (PYTHON, "--device") else "="
    if wanted is None:
        return f"the supervisor at work goes by {name}{separator}{in_use}, which is not set here"
    if in_use is None:
        at_work = f"was started without {name}"
    else:
        at_work = f"goes by {name}{separator}{in_use}"
    return f"{name}{separator}{wanted} does not count: the supervisor at work {at_work}"
