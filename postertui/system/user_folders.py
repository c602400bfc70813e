"""The user's own folders, as the XDG base directory specification names them, and temporary ones.

A container or a CI job may have neither a home nor a temporary folder that can be written. Then
what would lie there lies below the folder that the command works on, see `fall_back_to`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

#: What a folder of the user's is for.
FolderKind = Literal["CACHE", "CONFIG", "STATE"]

_DEFAULTS = {"CACHE": ".cache", "CONFIG": ".config", "STATE": ".local/state"}

#: The folder's name below the one that the command works on.
FALLBACK_NAME = ".postertui"

_fallback = Path(FALLBACK_NAME)
_is_first = False


def fall_back_to(folder: Path, *, first: bool = False) -> None:
    """Where there is no home, keep the user's files below another folder.

    Parameters
    ----------
    folder
        It need not exist yet.
    first
        Whether it counts whatever later calls name; otherwise the last call's folder does.
    """
    global _fallback, _is_first
    if first or not _is_first:
        _fallback, _is_first = folder / FALLBACK_NAME, first


def home_folder() -> Path | None:
    """The user's home; None for a user that the system does not know, without HOME."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def has_own_folder(kind: FolderKind) -> bool:
    """Whether `user_folder` is the user's own, not one below a folder that others may prepare.

    Nothing that is executed, or says where to connect, may be read from the latter.
    """
    return bool(os.environ.get(f"XDG_{kind}_HOME")) or home_folder() is not None


def user_folder(kind: FolderKind) -> Path:
    """`$XDG_<kind>_HOME`, else its default location; it need not exist."""
    if given := os.environ.get(f"XDG_{kind}_HOME"):
        return Path(given)
    home = home_folder()
    return _fallback / kind.lower() if home is None else home / _DEFAULTS[kind]


def temporary_root() -> str:
    """A folder for temporary files, for this process and those that it starts.

    Raises
    ------
    OSError
        Where none can be written.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        _fallback.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.tempdir = os.environ["TMPDIR"] = os.fspath(_fallback.absolute())
        return tempfile.tempdir


def is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is made where it is missing.

    Determined by writing: permission bits say nothing about root or a read-only disk.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
