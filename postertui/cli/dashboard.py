"""`postertui` without a command: the dashboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from postertui.cli.options import PATH, check_out

_OPTIONS = (
    click.option(
        "--runs",
        type=PATH,
        default=Path("runs"),
        show_default=True,
        help="The runs folder.",
    ),
    click.option(
        "--data", type=PATH, default=Path("data"), show_default=True, help="The data folder."
    ),
    click.option(
        "--out",
        type=PATH,
        default=Path("reports"),
        show_default=True,
        help="The folder of figures.",
    ),
    click.option(
        "--study",
        default="milestone4",
        show_default=True,
        help="What the form of new runs starts from.",
    ),
    click.option("--filter", metavar="FILTER", help="Start with this filter."),
    click.option("--theme", help="dark, light or colour-blind."),
    click.option("--ascii", "ascii_only", is_flag=True, help="No braille and no symbols."),
    click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
    click.option("--read-only", is_flag=True, help="Change nothing: no starting, no cancelling."),
)


def dashboard_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command` with the options that `open_dashboard` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_dashboard(*, no_mouse: bool, **options: Any) -> None:
    """Every run's curves, live, until the user quits."""
    from postertui.dashboard.setup import Setup
    from postertui.dashboard.start import run_dashboard

    check_out(options["out"], options["runs"])
    run_dashboard(Setup(mouse=not no_mouse, **options))
