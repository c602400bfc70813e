"""Errors of the system that say nothing about the file at which they are met."""

from __future__ import annotations

import errno

_NUMBERS = frozenset(
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
    return error.errno in _NUMBERS
