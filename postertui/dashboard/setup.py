"""What the dashboard is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from postertui.system.text import to_single_line
from postertui.system.user_folders import home_folder


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

    @property
    def runs_shown(self) -> str:
        """The runs folder as the user would call it, with `~` for their home."""
        path, home = str(self.runs), home_folder()
        if home is not None and path.startswith(str(home)):
            path = path.replace(str(home), "~", 1)
        return to_single_line(path, 40)
