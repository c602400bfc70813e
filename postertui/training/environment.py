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
    # Keras imports it for galleries of images, which takes a second, and without a home to write
    # to leaves a folder behind. As None it counts as not installed.
    sys.modules.setdefault("matplotlib", None)  # type: ignore[arg-type]
