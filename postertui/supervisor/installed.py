"""Which packages to train with are installed, found out without importing any of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform

from postertui.system.errors import UserError
from postertui.system.version import __version__

#: What a history may depend on beside the run's own settings.
RECORDED = ("numpy", "keras", "tensorflow", "jax")


def check_trainable() -> None:
    """Raise `UserError` unless a backend to train with is installed."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if os.environ.get("POSTERTUI_TRAINER"):
        return
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec(backend) is None:
        raise UserError(
            f"training needs Keras and {backend}: pip install 'postertui[train]'"
            + (" or 'postertui[jax]'" if backend == "jax" else "")
        )


def current_versions() -> dict[str, str]:
    """The versions that a history may depend on, by package; `RECORDED` as far as installed."""
    versions = {"postertui": __version__, "python": platform.python_version()}
    for name in RECORDED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
