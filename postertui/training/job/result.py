"""How an attempt ended, as it is reported to the supervisor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

from postertui.system.os_errors import disk_full_reason, is_disk_full

#: How an attempt ended. `held`: another process has the run. `closed`: it had its end already.
Ending = Literal["done", "failed", "cancelled", "interrupted", "held", "closed", "damaged", "full"]


class Result(NamedTuple):
    """How an attempt ended, and why."""

    outcome: Ending
    reason: str = ""


def full(error: OSError, run_folder: Path) -> Result:
    """The result of an attempt for which there was no room, in the run's folder or elsewhere."""
    path = _path_of(error, run_folder)
    where = run_folder if path.is_relative_to(run_folder) else path
    return Result("full", disk_full_reason(where))


def refused(error: OSError, run_folder: Path) -> Result:
    """The result of an attempt that could not read or write the run's own files."""
    if is_disk_full(error):
        return full(error, run_folder)
    return Result("damaged", f"{_path_of(error, run_folder)}: {error.strerror}")


def _path_of(error: OSError, run_folder: Path) -> Path:
    """The file that could not be used; the run's folder where the error names none."""
    name = error.filename
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else run_folder
