"""Starting the dashboard in this terminal."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from postertui.dashboard.setup import Setup
from postertui.dashboard.state.persistence import UserConfig, config_path, load_config, load_view
from postertui.dashboard.terminal.check import draw_on_standard_output, shows_utf8
from postertui.dashboard.terminal.hangup import leave_with_terminal
from postertui.filters import parse
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.dashboard.app import DashboardApp
    from postertui.dashboard.state.view_options import ViewOptions

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
    draw_on_standard_output()
    if not setup.ascii_only and not shows_utf8():
        setup = replace(setup, ascii_only=True)
    from postertui.dashboard.actions.keymap import check_keymap

    app = make_app(setup, load_view(setup.runs), config)
    check_keymap(config.keys, config_path())
    leave_with_terminal(sys.stdin.fileno())
    app.run(mouse=setup.mouse)
    if app.return_code:
        sys.exit(app.return_code)


def make_app(setup: Setup, options: ViewOptions, config: UserConfig) -> DashboardApp:
    """The app, and this process made ready for it."""
    # Read when textual is imported. Animations are noise on a slow link.
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    # Read when polars is imported: what an analysis has freed goes back to the system at once.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
    # Keys come before the threads that read and assess.
    sys.setswitchinterval(0.001)
    gc.disable()
    from postertui.dashboard.app import DashboardApp

    return DashboardApp(setup, options, config, at_rest=keep_all)


def keep_all() -> None:
    """Never look for garbage in what there is now.

    Libraries and runs stay, and are so many that a search through them stops everything for a tenth
    of a second.
    """
    gc.freeze()
    gc.enable()
