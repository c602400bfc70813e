"""Files of a folder that another program or another user may have prepared.

Such a folder is data: a link in it is never followed, and a pipe, a device or a folder in the place
of a file is an error at once instead of a wait without end. A file must belong to the user, to
the owner of the folder that it lies in, or to the group that shares that folder.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from postertui.system.errors import UserError
from postertui.system.sharing import is_shared
from postertui.system.text import describe_error

T = TypeVar("T")

#: A JSON file that is larger is refused unread.
MAX_JSON_BYTES = 1 << 20

#: Predictions or weights that are larger are refused unread.
MAX_RESULT_BYTES = 8 << 30


class UnusableFileError(OSError):
    """What is at the path is not a regular file of the user or the folder's owner, or too large."""


def open_regular(path: Path | str, flags: int) -> int:
    """Open a regular file and return its descriptor; a new one is as private as its folder.

    Parameters
    ----------
    flags
        As for `os.open`.

    Raises
    ------
    OSError
        With the path; also for a link, a pipe, a device, a folder, and a file of an owner who is
        neither the user nor the folder's owner.
    """
    guards = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | guards, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(errno.ELOOP, "is a link, which is not followed", path) from None
        if error.errno == errno.EISDIR:
            raise _refused(errno.EISDIR, os.strerror(errno.EISDIR), path) from None
        if error.errno == errno.ENXIO:
            raise _refused(errno.ENXIO, "is not a regular file", path) from None
        raise
    try:
        status = os.fstat(fd)
        check_regular(status, path)
        if flags & os.O_CREAT and status.st_uid == os.geteuid() and is_shared(Path(path).parent):
            os.fchmod(fd, 0o660)
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_regular(status: os.stat_result, path: Path | str) -> None:
    """Refuse the file at `path` where `open_regular` would.

    Parameters
    ----------
    status
        That of the file.

    Raises
    ------
    OSError
        As `open_regular`.
    """
    if stat.S_ISDIR(status.st_mode):
        raise _refused(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if stat.S_ISLNK(status.st_mode):
        raise _refused(errno.ELOOP, "is a link, which is not followed", path)
    if not stat.S_ISREG(status.st_mode):
        raise _refused(errno.ENXIO, "is not a regular file", path)
    if status.st_uid in (os.geteuid(), 0):
        return
    parent = Path(path).parent
    folder = parent.stat()
    in_group = is_shared(parent) and status.st_gid == folder.st_gid
    if status.st_uid != folder.st_uid and not in_group:
        raise _refused(errno.EPERM, "belongs to another user than its folder", path)


def read_regular(path: Path | str, max_bytes: int) -> bytes:
    """The content of a regular file.

    Raises
    ------
    OSError
        As `open_regular`, and where it is larger than `max_bytes`.
    """
    fd = open_regular(path, os.O_RDONLY)
    try:
        # Not more at once than there is: a buffer for `max_bytes` would cost more than reading.
        data = b""
        at_once = min(os.fstat(fd).st_size, max_bytes) + 1
        while part := os.read(fd, min(at_once, max_bytes + 1 - len(data))):
            data += part
    finally:
        os.close(fd)
    if len(data) > max_bytes:
        raise _refused(errno.EFBIG, f"is larger than {max_bytes:,} bytes", path)
    return data


def check_is_file(path: Path) -> None:
    """Refuse what is no file, whether at the path or where a link there leads.

    For the user's own files, which may be links: opening a pipe waits without end.

    Raises
    ------
    OSError
        For a pipe, a device or a folder, and where there is nothing.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise _refused(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise _refused(errno.ENXIO, "is not a regular file", path)


def touch_regular(path: Path) -> None:
    """Make an empty file, or leave the regular one that is there. Raises `OSError`."""
    os.close(open_regular(path, os.O_WRONLY | os.O_CREAT))


def read_json(path: Path, model: type[T], what: str) -> T:
    """The content of a JSON file.

    Parameters
    ----------
    model
        Its type.
    what
        What it is, in messages.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    UserError
        Naming the file, where it cannot be read or is anything else.
    """
    try:
        return msgspec.json.decode(read_regular(path, MAX_JSON_BYTES), type=model)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not {what}: {describe_error(error)}") from None


def _refused(number: int, reason: str, path: Path | str) -> UnusableFileError:
    return UnusableFileError(number, reason, os.fspath(path))
