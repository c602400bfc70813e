"""Where the lists of fonts are kept when the home cannot be written to, as in many a CI job."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path


@contextlib.contextmanager
def font_cache() -> Iterator[None]:
    """Without a home to write to, a temporary folder for this process and those it starts.

    matplotlib would make one for each process, which stays behind when the process is ended, and
    fontconfig, which it asks for fonts, would complain on stderr.
    """
    if _is_writable(_usual_folder()):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="postertui-fonts-") as folder:
        # Of two processes that make it at once, the second would complain.
        Path(folder, "fontconfig").mkdir()
        before = dict(os.environ)
        os.environ["XDG_CACHE_HOME"] = folder
        os.environ.setdefault("MPLCONFIGDIR", folder)
        try:
            yield
        finally:
            _restore(before)


def _usual_folder() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path(os.environ.get("HOME", "/"), ".cache")


def _restore(before: Mapping[str, str]) -> None:
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]


def _is_writable(folder: Path) -> bool:
    """Tried, not asked: root may write everywhere but on a disk that is read-only."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
