"""The one exception whose message is meant for the user."""

from __future__ import annotations


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
