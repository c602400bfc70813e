"""What libraries in C and Rust write to standard error, past Python."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def discard_native_stderr() -> Iterator[None]:
    """Within this nothing that bypasses `sys.stderr` reaches standard error.

    libtiff and polars' reader write their own lines there about a damaged file, before Python gets
    the exception that says the same. What Python itself writes to `sys.stderr` still arrives.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield  # there is no standard error
        return
    null = os.open(os.devnull, os.O_WRONLY)
    python_stderr = sys.stderr
    if _writes_to(python_stderr, 2):
        python_stderr.flush()
        sys.stderr = os.fdopen(
            os.dup(kept),
            "w",
            buffering=1,
            encoding=python_stderr.encoding,
            errors="backslashreplace",
        )
    try:
        os.dup2(null, 2)
        yield
    finally:
        if sys.stderr is not python_stderr:
            sys.stderr.close()
            sys.stderr = python_stderr
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _writes_to(stream: object, fd: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == fd
    except (OSError, ValueError):
        return False
