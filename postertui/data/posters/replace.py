"""Putting a finished folder in the place of the old one, in one step."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postertui.data.description import DESCRIPTION
from postertui.system.atomic_files import sync, umask
from postertui.system.errors import UserError
from postertui.system.held_folders import hold_folder

#: What a build writes; anything else in a data folder is the user's or a cache, and stays.
_BUILT_FILES = re.compile(
    r"dataset\.json|details\.parquet|(images|labels|ids)-\d(-\d+)?\.npy|left-out\.csv"
)

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def replacement(target: Path) -> Iterator[Path]:
    """A folder to build in, which takes the place of `target` when the block ends well.

    A reader sees the old folder or the new, whatever ends the program. Other files in the
    old folder, such as cached features, move on to the new. What an earlier build left behind
    when it was killed is cleared away first. Raises `UserError` where `target` is no data folder
    or its place cannot be written.
    """
    target = target.resolve()
    _check_replaceable(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_drafts(target)
        draft = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror}") from None
    draft_lock = hold_folder(draft)
    try:
        yield draft
        draft.chmod(0o777 & ~umask())
        _sync(draft)
        if target.exists():
            _exchange(draft, target)
            _move_other_files(draft, target)
        else:
            draft.rename(target)
        sync(target.parent)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{target}: cannot be written: {reason}", exit_code=1) from None
    finally:
        if draft_lock is not None:
            os.close(draft_lock)
        shutil.rmtree(draft, ignore_errors=True)


def _prefix(target: Path) -> str:
    return f".{target.name}.building-"


def _check_replaceable(target: Path) -> None:
    """Only a data folder, or an empty one, is replaced."""
    if not target.exists():
        return
    if not target.is_dir():
        raise UserError(f"{target}: is a file; name a folder for the data")
    try:
        names = os.listdir(target)  # noqa: PTH208
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}") from None
    if names and DESCRIPTION not in names:
        raise UserError(
            f"{target}: is not empty and no data folder (no dataset.json); name another with --data"
        )


def _remove_stale_drafts(target: Path) -> None:
    """Remove the drafts of builds that are no longer running."""
    # `….old` sorts behind the draft it belongs to, so the longest names go first.
    for draft in sorted(target.parent.glob(f"{_prefix(target)}*"), reverse=True):
        draft_lock = hold_folder(draft)
        if draft_lock is None:
            continue
        try:
            if draft.suffix == ".old" and not target.exists():
                draft.rename(target)
                continue
            # Killed right after the exchange, a build leaves the old folder here.
            if target.exists():
                _move_other_files(draft, target)
            shutil.rmtree(draft, ignore_errors=True)
        finally:
            os.close(draft_lock)


def _exchange(draft: Path, target: Path) -> None:
    """Swap the two names in one step where the system can (Linux), else in two."""
    libc = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is not None:
        paths = os.fsencode(draft), os.fsencode(target)
        if renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(number, os.strerror(number), str(target))
    aside = draft.with_name(f"{draft.name}.old")
    target.rename(aside)
    draft.rename(target)
    aside.rename(draft)


def _move_other_files(old: Path, new: Path) -> None:
    for entry in old.iterdir():
        if not _BUILT_FILES.fullmatch(entry.name) and not (new / entry.name).exists():
            entry.rename(new / entry.name)


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        sync(path)
    sync(folder)
