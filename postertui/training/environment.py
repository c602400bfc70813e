"""Environment variables that must be set before TensorFlow or JAX is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from postertui.system.environment import read_number
from postertui.system.user_folders import fall_back_to, home_folder


def threads() -> int:
    """How many threads a job computes with: `POSTERTUI_THREADS`, by default one.

    One run per core on one thread each has the highest throughput, and is what makes equal specs
    give equal histories to the bit. Raises `UserError` where it is no number of threads.
    """
    return int(read_number("POSTERTUI_THREADS", 1, minimum=1))


def hide_unused_packages() -> None:
    """Let packages that Keras and TensorFlow import where they find them count as not installed.

    Their import takes as long as all the rest of Keras', and matplotlib leaves a folder behind
    where there is no home to write to. For the main module of a process of its own only: nothing
    else in the process can import them afterwards.
    """
    unused = ["matplotlib", "pandas", "sklearn"]
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        unused += ["jax", "scipy"]  # JAX needs scipy
    for name in unused:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def show_packages(*names: str) -> None:
    """Undo `hide_unused_packages` for some packages, once Keras is imported."""
    for name in names:
        if name in sys.modules and sys.modules[name] is None:
            del sys.modules[name]


def prepare() -> None:
    """Set backend, thread count and logging; variables that are set already keep their values."""
    count = threads()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(count))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(count))
    os.environ.setdefault("OMP_NUM_THREADS", str(count))
    # Read by XLA's own thread pool, in TensorFlow and in JAX.
    os.environ.setdefault("NPROC", str(count))
    if runs := os.environ.get("POSTERTUI_RUNS_FOLDER"):
        fall_back_to(Path(runs))
    if home_folder() is None:
        # Keras would make a folder called `~`; below a device it can make none.
        os.environ.setdefault("KERAS_HOME", f"{os.devnull}/keras")
