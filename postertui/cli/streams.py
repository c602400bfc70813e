"""Standard input, output and error as the program finds and leaves them."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

import click

from postertui.system.text import strip_control_chars

#: The exit code of a program whose reader went away, as the shell reports it (128 + SIGPIPE).
READER_GONE = 141

#: What the machine refuses, and no program could have done better.
_REFUSALS = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO,
    errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE,
}  # fmt: skip


class ReaderGoneError(Exception):
    """The reader of standard output has closed it, as in `postertui runs | head`."""


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
            continue
        if stream.errors == "strict":
            stream.reconfigure(errors="replace")
        if isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, CleanStream(stream))


class CleanStream(io.TextIOWrapper):
    """Standard output or error, through which no text can control the terminal.

    Names, reasons and messages come from files of unknown origin: whatever prints
    them, control characters and escape sequences end here. `styled` is for what the program
    itself colours or draws over.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._styled = stream

    def write(self, text: str) -> int:
        super().write(strip_control_chars(text))
        return len(text)

    @property
    def styled(self) -> io.TextIOWrapper:
        self.flush()
        return self._styled


def styled(stream: TextIO) -> TextIO:
    """`stream` for text with escape sequences, whose parts from outside are clean already."""
    return stream.styled if isinstance(stream, CleanStream) else stream


def print_message(text: str) -> None:
    """Print a line for the user on standard error, where it is no result."""
    click.echo(text, err=True)


def discard_output() -> None:
    """Forget what is not yet written, or Python would fail at it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refusal(error: OSError) -> str | None:
    """What the machine refused, in a line; None for an error that is the program's own."""
    if error.errno not in _REFUSALS:
        return None
    return f"{error.filename or 'standard output'}: {error.strerror}"
