"""The one exception whose message is meant for the user, and what other errors mean."""

from __future__ import annotations

import errno


class UserError(Exception):
    """Something the user gave or asked for cannot be used.

    Parameters
    ----------
    message
        One line: what is wrong, where (file and line), how to mend it. The command line prints it
        without a traceback.
    exit_code
        The command's: 1 something failed while working, 2 the command line or an input is wrong,
        3 nothing matched.
    """

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def is_disk_full(error: OSError) -> bool:
    """Whether there was no room to write."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
