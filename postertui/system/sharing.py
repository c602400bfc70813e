"""Who may use what in a folder: its owner alone, or a group where the folder is shared.

A folder is shared where its group may write to it and the setgid bit lets all that is made in it
belong to that group (chmod 2770). Everything that is made below has the same group and the same
rights then; in any other folder it is its owner's alone.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from postertui.system.errors import UserError

_SHARED = stat.S_ISGID | stat.S_IWGRP


def is_shared(folder: Path) -> bool:
    """Whether a group shares the folder; False where that is unknown."""
    try:
        return folder.stat().st_mode & _SHARED == _SHARED
    except OSError:
        return False


def file_mode(folder: Path) -> int:
    """The mode of a new file in `folder`."""
    return 0o660 if is_shared(folder) else 0o600


def make_folder(path: Path) -> None:
    """Make a folder like its parent: shared or private. Raises `OSError`."""
    path.mkdir(mode=0o700, exist_ok=True)
    adopt_mode(path)


def adopt_mode(path: Path) -> None:
    """Give a new file or folder the mode that its parent asks for. Raises `OSError`."""
    if is_shared(path.parent):
        path.chmod(0o2770 if path.is_dir() else 0o660)


def restrict_umask(folder: Path) -> None:
    """From now on, what this process makes is for the owner alone, or for the folder's group."""
    os.umask(0o007 if is_shared(folder) else 0o077)


def share_with_group(folder: Path) -> None:
    """Share `folder`, which is made where it is missing, with its group.

    Raises
    ------
    UserError
        Where it belongs to another user, with the command that its owner can give.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if is_shared(folder):
        return
    status = folder.stat()
    try:
        folder.chmod(stat.S_IMODE(status.st_mode) | 0o2770)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be shared with its group ({error.strerror}); "
            f"{owner_of(status)} can: chmod 2770 {folder}"
        ) from None


def share_contents(folder: Path, group_of: Path) -> None:
    """Share `folder`, made where it can be, and all in it with a group.

    What belongs to another account, or cannot be changed, stays as it is.

    Parameters
    ----------
    group_of
        A file or folder that has this group.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        group = group_of.stat().st_gid
        for path in (folder, *sorted(folder.rglob("*"))):
            with contextlib.suppress(OSError):
                status = path.lstat()
                is_folder = stat.S_ISDIR(status.st_mode)
                if not is_folder and not stat.S_ISREG(status.st_mode):
                    continue
                os.chown(path, -1, group)
                path.chmod(stat.S_IMODE(status.st_mode) | (0o2770 if is_folder else 0o660))


def explain_denied(path: Path, need: int = os.R_OK) -> str:
    """Whose `path` is and how to get at it; empty where this account may use it or owns it.

    Parameters
    ----------
    need
        What for: a mode of `os.access`.
    """
    try:
        status = path.stat()
    except OSError:
        return ""
    if path.is_dir():
        need |= os.X_OK
    if status.st_uid == os.geteuid() or os.access(path, need):
        return ""
    me = user_name(os.geteuid())
    mode = stat.S_IMODE(status.st_mode)
    return (
        f"{path} belongs to {owner_of(status)} (mode {mode:03o}); "
        f"`sudo chown -R {me} {path}` makes it yours"
    )


def describe_os_error(error: OSError, path: Path, need: int = os.R_OK) -> str:
    """What went wrong with which file, in a line; for another account's also how to get at it.

    Parameters
    ----------
    path
        The file where the error names none.
    need
        What for: a mode of `os.access`.
    """
    where = Path(os.fsdecode(error.filename)) if error.filename else path
    text = f"{where}: {error.strerror}"
    if isinstance(error, PermissionError):
        for denied in (where, where.parent, path):
            if reason := explain_denied(denied, need):
                return f"{text}: {reason}"
    return text


@contextlib.contextmanager
def os_errors_explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` of a block that writes to `path` into an error for the user.

    Raises
    ------
    UserError
        Naming the file, with exit code 1.
    """
    try:
        yield
    except OSError as error:
        raise UserError(describe_os_error(error, path, os.W_OK), exit_code=1) from None


def explain_unwritable(folder: Path) -> str:
    """Why `folder`, or the first file in it of which that is so, cannot be written; or empty."""
    try:
        paths = (folder, *sorted(folder.iterdir()))
    except OSError:
        paths = (folder,)
    for path in paths:
        if reason := explain_denied(path, os.W_OK):
            return reason
        if not os.access(path, os.W_OK):
            return f"{path} is read-only; `chmod u+w {path}` lets you write to it"
    return ""


def owner_of(status: os.stat_result) -> str:
    """`alice:lab`, or numbers where they have no names."""
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return f"{user_name(status.st_uid)}:{group}"


def user_name(uid: int) -> str:
    """The account's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
