"""What errors of the system mean."""

from __future__ import annotations

import errno
from pathlib import Path

_PASSING = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR),
        *(errno.EIO, errno.ENOLCK, errno.ESTALE, errno.ETIMEDOUT),
        *(errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH),
    }
)


def is_passing(error: OSError) -> bool:
    """Whether this process or the file system failed, so that the file itself may be sound.

    Too many open files, too little memory, a disk or a server that does not answer.
    """
    return error.errno in _PASSING


def is_disk_full(error: OSError) -> bool:
    """Whether there was no room to write."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full_reason(path: Path) -> str:
    """The message where there is no room to write at `path`."""
    return f"no room left on the disk of {path}"
