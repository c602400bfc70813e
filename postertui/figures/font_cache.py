"""Where the lists of fonts are kept when the home cannot be written to, as in many a CI job."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from postertui.system.user_folders import user_folder


@contextlib.contextmanager
def font_cache() -> Iterator[None]:
    """Without a home to write to, a temporary folder for this process and those it starts.

    matplotlib would make one for each process, which stays behind when the process is ended, and
    fontconfig, which it asks for fonts, would complain on stderr.
    """
    if _is_writable(user_folder("CACHE")):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="postertui-fonts-") as folder:
        # Of two processes that make it at once, the second would complain.
        Path(folder, "fontconfig").mkdir()
        given = {"XDG_CACHE_HOME": folder, "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", folder)}
        usual = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        try:
            yield
        finally:
            for name, value in usual.items():
                del os.environ[name]
                if value is not None:
                    os.environ[name] = value


def _is_writable(folder: Path) -> bool:
    """Determined by writing: permission bits say nothing about root or a read-only disk."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
