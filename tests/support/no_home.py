"""A user without a home, whose own files lie below the runs folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.system import user_folders


def without_home(monkeypatch: pytest.MonkeyPatch, runs: Path) -> Path:
    """From now on the user has no home and works on `runs`; the folder of the user's own files."""
    for kind in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
    monkeypatch.setattr(user_folders, "home_folder", lambda: None)
    # Commands that other tests called in this process have chosen a folder, too.
    fallback = runs / user_folders.FALLBACK_NAME
    monkeypatch.setattr(user_folders, "_fallback", fallback)
    return fallback
