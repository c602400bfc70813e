"""The dashboard's form that starts runs, opened and filled in."""

from __future__ import annotations

from textual.widgets import Input

from postertui.dashboard.screens.launch import LaunchScreen
from tests.support.dashboard_driver import Driver


async def open_form(d: Driver) -> LaunchScreen:
    await d.press("n")
    screen = d.app.screen
    assert isinstance(screen, LaunchScreen)
    await d.until(lambda: screen.choices is not None, "the data read")
    return screen


async def use_random_weights(d: Driver, screen: LaunchScreen) -> None:
    screen.query_one("#weights", Input).value = "random"
    await d.until(lambda: screen.planned is not None, "the plan")
