"""The names that runs can have, and their folders by name."""

from __future__ import annotations

import os
import re
from pathlib import Path

from postertui.system.errors import UserError

_RUN_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,63}", re.ASCII)


def run_folder(folder: Path, run: str) -> Path:
    """The folder of a run.

    Parameters
    ----------
    folder
        The runs folder.
    run
        The run's name, which is data and never taken as a path.

    Raises
    ------
    UserError
        For a name that no run can have: anything but `[a-z0-9._-]{1,64}`, or one that starts with a
        dot.
    """
    if not is_run_name(run):
        raise UserError(f"{run[:80]!r} is not a run's name; `postertui runs` lists them")
    return folder / run


def is_run_name(text: str) -> bool:
    """Whether a run can be called so."""
    return _RUN_NAME.fullmatch(text) is not None


def list_runs(folder: str | Path) -> set[str]:
    """The names of the folders that are runs; a link would lead out of `folder`.

    Raises
    ------
    OSError
        Where `folder` cannot be read.
    """
    with os.scandir(folder) as entries:
        return {e.name for e in entries if e.name[0] != "." and e.is_dir(follow_symlinks=False)}
