"""Starting the dashboard in this terminal."""

from __future__ import annotations

import os
import sys

from postertui.dashboard.setup import Setup
from postertui.errors import UserError


def run_dashboard(setup: Setup) -> None:
    """Run until the user quits. Raises `UserError` where there is no terminal."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UserError(
            "the dashboard needs a terminal; `postertui runs` and `postertui report` do not"
        )
    # Both are read when textual is imported. Animations are noise on a slow link.
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_FPS", "30")
    from postertui.dashboard.app import DashboardApp

    app = DashboardApp(setup)
    app.run(mouse=setup.mouse)
    if app.return_code:
        sys.exit(app.return_code)
