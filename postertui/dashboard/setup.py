"""What the dashboard is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setup:
    """Folders, and how the screen may be used. `notice` stays in the first line."""

    runs: Path
    data: Path
    out: Path
    read_only: bool = False
    ascii_only: bool = False
    mouse: bool = True
    theme: str | None = None
    filter: str | None = None
    study: str = "milestone4"
    notice: str = ""
