"""Which keys mean something else on another screen than on the main one."""

from __future__ import annotations

from postertui.dashboard.actions.registry import MAIN_REGIONS, actions_in

_MAIN_MEANINGS = {
    key: action.label.lower()
    for action in actions_in("app", *MAIN_REGIONS)
    for key in action.keys.split(",")
}


def has_other_meaning(key: str, label: str) -> bool:
    """Whether `key` does something else on the main screen than what is called `label`."""
    return _MAIN_MEANINGS.get(key, label.lower()) != label.lower()
