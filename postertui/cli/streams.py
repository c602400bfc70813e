"""Standard input, output and error as the program finds and leaves them."""

from __future__ import annotations

import errno
import os
import sys

import click

#: The exit code of a program whose reader went away, as the shell reports it (128 + SIGPIPE).
READER_GONE = 141

#: What the machine refuses, and no program could have done better.
_REFUSALS = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO,
    errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE,
}  # fmt: skip


class ReaderGoneError(Exception):
    """Whoever read standard output has enough, as in `postertui runs | head`."""


def prepare_streams() -> None:
    """Make printing never fail for a sign that the terminal's encoding lacks: it is a `?` then.

    A stream that the program was started without takes everything and gives nothing.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115
        elif stream.errors == "strict":
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """Tell people something, on standard error."""
    click.echo(text, err=True)


def discard_output() -> None:
    """Forget what is not yet written, or Python would fail at it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refusal(error: OSError) -> str | None:
    """What the machine refused, in a line; None for an error that is the program's own."""
    if error.errno not in _REFUSALS:
        return None
    return f"{error.filename or 'standard output'}: {error.strerror}"
