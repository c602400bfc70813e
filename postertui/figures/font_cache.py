"""Where matplotlib and fontconfig keep their lists of fonts, also without a home to write to."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from postertui.system.environment import variables_set
from postertui.system.user_folders import has_own_folder, is_writable, temporary_root, user_folder

#: A lock of matplotlib's older than this, in seconds, was left by a process that died: writing a
#: list of fonts takes far less.
STALE_AFTER = 60.0


@contextlib.contextmanager
def font_cache() -> Iterator[None]:
    """Without a home to write to, a temporary folder for this process and those it starts.

    matplotlib would make one for each process, which stays behind when the process is ended, and
    fontconfig, which it asks for fonts, would complain on stderr. The same where MPLCONFIGDIR
    names a folder that cannot be written.
    """
    configured = os.environ.get("MPLCONFIGDIR")
    cache = user_folder("CACHE")
    if (
        has_own_folder("CACHE")
        and is_writable(cache)
        and (configured is None or is_writable(Path(configured)))
    ):
        remove_stale_locks(cache / "matplotlib" if configured is None else Path(configured))
        yield
        return
    with tempfile.TemporaryDirectory(prefix="postertui-fonts-", dir=temporary_root()) as folder:
        # Of two processes that make it at once, the second would complain.
        Path(folder, "fontconfig").mkdir()
        kept = configured is not None and is_writable(Path(configured))
        given = {"XDG_CACHE_HOME": folder}
        if not kept:
            given["MPLCONFIGDIR"] = folder
        with variables_set(given):
            yield


def remove_stale_locks(folder: Path) -> None:
    """Remove locks that a process left in matplotlib's folder when it died.

    matplotlib would wait five seconds for each, in every process, and then complain.
    """
    with contextlib.suppress(OSError):
        for lock in folder.glob("*.matplotlib-lock"):
            if time.time() - lock.stat().st_mtime > STALE_AFTER:
                lock.unlink()
