"""Which keys mean something else on another screen than on the main one."""

from __future__ import annotations

from postertui.dashboard.actions.registry import actions_in

#: Regions whose keys work on the main screen whatever has the focus there.
MAIN_REGIONS = ("app", "main", "runs", "view", "watch")

_MAIN_MEANINGS = {
    key: action.label.lower()
    for action in actions_in(*MAIN_REGIONS)
    for key in action.keys.split(",")
}


def has_other_meaning(key: str, label: str) -> bool:
    """Whether `key` does something else on the main screen than what is called `label`."""
    return _MAIN_MEANINGS.get(key, label.lower()) != label.lower()
