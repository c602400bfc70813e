"""The user's own folders, as the XDG base directory specification names them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

_DEFAULTS = {"CACHE": ".cache", "CONFIG": ".config", "STATE": ".local/state"}


def user_folder(kind: Literal["CACHE", "CONFIG", "STATE"]) -> Path:
    """`$XDG_<kind>_HOME`, else its default; it need not exist."""
    return Path(os.environ.get(f"XDG_{kind}_HOME") or Path.home() / _DEFAULTS[kind])
