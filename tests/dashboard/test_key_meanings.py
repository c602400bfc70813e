"""A key means one thing; where a screen gives it another meaning, its footer says so."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from textual.app import App

from postertui.dashboard.actions.key_meanings import has_other_meaning
from postertui.dashboard.actions.key_names import show_key
from postertui.dashboard.actions.registry import (
    ACTIONS,
    MAIN_REGIONS,
    PART_REGIONS,
    REGIONS,
    Action,
    actions_in,
)
from tests.support.dashboard_driver import Driver, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns

#: What is active together, by the screen and what has the focus there.
STATES = {
    "table": ("app", *MAIN_REGIONS, "table"),
    "grid": ("app", *MAIN_REGIONS, "grid"),
    "summary": ("app", *MAIN_REGIONS, "summary"),
    "cell": ("app", "cell"),
    "run": ("app", "run", "log"),
    "launch": ("app", "launch", "ticks"),
    "analysis": ("app", "analysis"),
}


def by_key(*regions: str) -> list[tuple[str, Action]]:
    return [(key, action) for action in actions_in(*regions) for key in action.keys.split(",")]


@pytest.mark.parametrize("state", STATES)
def test_a_key_does_one_thing_in_each_state(state: str) -> None:
    pairs = combinations(by_key(*STATES[state]), 2)
    twice = [(key, one.id, other.id) for (key, one), (k, other) in pairs if key == k]
    # In a screen on top, its own q comes before the application's.
    assert [t for t in twice if t[0] != "q"] == []


@pytest.mark.parametrize("state", STATES)
def test_what_means_something_else_than_on_the_main_screen_is_in_the_footer(state: str) -> None:
    silent = [
        (key, action.id)
        for key, action in by_key(*STATES[state])
        if has_other_meaning(key, action.label) and not action.in_footer
    ]
    assert silent == []


def test_every_region_has_a_state_or_is_a_window_that_lists_its_keys() -> None:
    covered = {region for regions in STATES.values() for region in regions}
    assert {action.region for action in ACTIONS} == {"app", *REGIONS, *PART_REGIONS}
    assert covered == {"app", *REGIONS, "log", "ticks"}


def named(d: Driver) -> None:
    """Assert that the footer names each active key that has another meaning on the main screen."""
    footer = d.lines[-1]
    for active in d.app.screen.active_bindings.values():
        binding = active.binding
        if binding.id is None or isinstance(active.node, App):
            continue
        if active.enabled and has_other_meaning(binding.key, binding.description):
            key = re.escape(show_key(binding.key))
            wanted = rf" (\S+/)?{key}(/\S+)? {re.escape(binding.description)} "
            assert re.search(wanted, f" {footer} "), (binding.key, binding.description, footer)


@both_sizes
async def test_the_footer_has_room_for_them(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        await d.press("tab", "enter")
        named(d)
        assert "Esc/q Back" in d.lines[-1]
        await d.press("escape", "tab", "enter")
        named(d)
        await d.press("escape", "4")
        named(d)
