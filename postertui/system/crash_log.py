"""Unexpected errors: one line on the screen, the traceback in a log."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path

from postertui.system.text import strip_control_chars
from postertui.system.user_folders import temporary_root, user_folder
from postertui.system.version import __version__


def log_traceback(error: BaseException) -> str:
    """Append the traceback to a log that only the user can read; one line for the screen."""
    what = strip_control_chars(f"{type(error).__name__}: {error}".splitlines()[0])[:300]
    try:
        log = _write(error)
    except Exception:  # Whatever else goes wrong must not hide the error.
        traceback.print_exception(error)
        return f"unexpected error: {what}"
    return f"unexpected error: {what} (the traceback is in {log})"


def _write(error: BaseException) -> Path:
    folder = user_folder("STATE") / "postertui"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = folder / "errors.log"
        log.touch(mode=0o600)
    except OSError:
        fd, name = tempfile.mkstemp(prefix="postertui-errors-", suffix=".log", dir=temporary_root())
        os.close(fd)
        log = Path(name)
    head = (
        f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} postertui {__version__}, "
        f"Python {platform.python_version()}: {' '.join(sys.argv)}\n"
    )
    with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(head + "".join(traceback.format_exception(error)))
    return log
