"""What the training framework reports about accelerators, asked in a process of its own.

    python -m postertui.training.accelerators

prints one line of JSON: a `FrameworkReport`. Only the framework itself knows whether it was built
for CUDA and can load the libraries; importing it takes seconds and gigabytes of address space, so
the supervisor and the command line do not.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys

import msgspec

from postertui.system.processes import child_environment

#: Seconds for a framework to be imported, on a slow network file system.
PATIENCE = 180.0


class FrameworkReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a framework can train on.

    Parameters
    ----------
    framework
        Its name and version.
    accelerators
        The framework's names of the devices beside the CPU; None where it could not be asked.
    reason
        Why it has no accelerator, where it says so.
    """

    framework: str
    accelerators: tuple[str, ...] | None = None
    reason: str = ""


def ask_framework(environment: dict[str, str] | None = None) -> FrameworkReport:
    """What the framework reports in a process with `environment` (by default this process's)."""
    name = (environment or os.environ).get("KERAS_BACKEND", "tensorflow")
    try:
        result = subprocess.run(
            [sys.executable, "-P", "-m", "postertui.training.accelerators"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**child_environment(), **(environment or {}), "TF_CPP_MIN_LOG_LEVEL": "0"},
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return FrameworkReport(framework=name, reason=str(error))
    printed = result.stderr.decode(errors="replace")
    try:
        report = msgspec.json.decode(result.stdout.splitlines()[-1], type=FrameworkReport)
    except (IndexError, msgspec.MsgspecError):
        last = (printed.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        return FrameworkReport(framework=name, reason=f"{name} cannot be imported: {last[:200]}")
    if report.accelerators == () and (complaint := find_complaint(printed)):
        return msgspec.structs.replace(report, reason=complaint)
    return report


#: What TensorFlow's and JAX' C++ parts print about CUDA, the most telling first.
_COMPLAINTS = (
    (re.compile(r"Cannot dlopen some GPU libraries()"), "it cannot load some of CUDA's libraries"),
    (re.compile(r"Could not find cuda drivers()"), "it finds no CUDA driver (libcuda.so)"),
    (re.compile(r"failed call to cuInit: (.*)"), "CUDA cannot start: {}"),
    (re.compile(r"Unable to initialize backend 'cuda': (.*)"), "CUDA cannot start: {}"),
)


def find_complaint(printed: str) -> str:
    """The framework's own reason for having no GPU, from what it printed."""
    for pattern, text in _COMPLAINTS:
        if match := pattern.search(printed):
            return text.format(" ".join(match[1].split())[:200])
    return ""


def device_in_use(assigned: str, accelerators: tuple[str, ...] | None) -> str:
    """The device that a job trains on.

    Parameters
    ----------
    assigned
        `cpu` or `gpu:<…>`, as the supervisor pinned the job.
    accelerators
        What the framework in that job reports; None where it cannot be asked.
    """
    if accelerators is None:
        return assigned
    if not accelerators:
        return "cpu"
    return assigned if assigned.startswith("gpu:") else f"{accelerators[0]} (not hidden)"


def report_here() -> FrameworkReport:
    """Ask the framework in this process, which imports it."""
    if trainer := os.environ.get("POSTERTUI_TRAINER"):
        module, _, name = trainer.partition(":")
        devices = getattr(importlib.import_module(module), name)()
        return FrameworkReport(framework=name, accelerators=accelerators_of(devices))
    from postertui.training import environment

    environment.prepare()
    name = os.environ["KERAS_BACKEND"]
    if name == "jax":
        return _report_jax()
    import tensorflow as tf

    devices = tuple(d.name for d in tf.config.list_physical_devices("GPU"))
    reason = ""
    if not tf.test.is_built_with_gpu_support():
        reason = "this TensorFlow was built without CUDA: pip install 'postertui[gpu]'"
    return FrameworkReport(
        framework=f"TensorFlow {tf.__version__}", accelerators=devices, reason=reason
    )


def _report_jax() -> FrameworkReport:
    import jax

    devices = tuple(str(d) for d in jax.devices() if d.platform != "cpu")
    plugins = ("jax_cuda12_plugin", "jax_cuda13_plugin")
    reason = ""
    if not any(importlib.util.find_spec(plugin) for plugin in plugins):
        reason = "this JAX has no CUDA plugin: pip install 'jax[cuda12]'"
    return FrameworkReport(framework=f"JAX {jax.__version__}", accelerators=devices, reason=reason)


def accelerators_of(trainer: object) -> tuple[str, ...] | None:
    """The accelerators that a trainer reports; None where it does not."""
    report = getattr(trainer, "accelerators", None)
    return None if report is None else tuple(report())


def main() -> int:
    """Print the report as a line of JSON."""
    sys.stdout.write(msgspec.json.encode(report_here()).decode() + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    # Not a plain exit: the frameworks' threads may hang in their destructors.
    code = main()
    sys.stderr.flush()
    os._exit(code)
