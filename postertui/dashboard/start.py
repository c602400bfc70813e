"""Starting the dashboard in this terminal."""

from __future__ import annotations

import os
import sys

from postertui.dashboard.memory import config_path, load_config, load_view
from postertui.dashboard.setup import Setup
from postertui.errors import UserError
from postertui.filters import parse

#: The names of the themes, known without importing textual.
THEMES = ("dark", "light", "colour-blind")


def run_dashboard(setup: Setup) -> None:
    """Run until the user quits. Raises `UserError` where there is no terminal or a wrong option."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UserError(
            "the dashboard needs a terminal; `postertui runs` and `postertui report` do not"
        )
    config = load_config()
    for theme, where in ((setup.theme, "--theme"), (config.theme, f"{config_path()}: theme")):
        if theme and theme not in THEMES:
            raise UserError(f"{where}: no theme `{theme}`; there are {', '.join(THEMES)}")
    parse(setup.filter or "")
    # Both are read when textual is imported. Animations are noise on a slow link.
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_FPS", "30")
    # Keys come before the threads that read and judge.
    sys.setswitchinterval(0.001)
    from postertui.dashboard.app import DashboardApp
    from postertui.dashboard.screens.keymap import check_keys

    check_keys(config.keys, config_path())
    app = DashboardApp(setup, load_view(setup.runs), config)
    app.run(mouse=setup.mouse)
    if app.return_code:
        sys.exit(app.return_code)
