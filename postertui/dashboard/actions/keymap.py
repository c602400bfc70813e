"""The keys that users have given to actions in their config file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from postertui.dashboard.actions.key_names import show_key
from postertui.dashboard.actions.registry import ACTIONS, Action
from postertui.system.errors import UserError

#: Keys by the id of the action, as in the config file.
Keymap = Mapping[str, str]


def keys_of(action: Action, keymap: Keymap) -> list[str]:
    """The action's keys as they are printed on them, the user's own where there are some."""
    keys = keymap.get(action.id, action.keys) if action.id else action.keys
    return [show_key(key.strip()) for key in keys.split(",")]


def check_keymap(keymap: Keymap, path: Path) -> None:
    """Raise `UserError` where `keymap` names an action that does not exist, or gives it no key."""
    ids = sorted({action.id for action in ACTIONS if action.id})
    for name, keys in keymap.items():
        if name not in ids:
            near = difflib.get_close_matches(name, ids, n=3, cutoff=0.4)
            raise UserError(
                f"{path}: [keys] has no action `{name}`; near: {', '.join(near or ids[:5])}"
            )
        if not all(key.strip() for key in keys.split(",")):
            raise UserError(f"{path}: [keys] gives `{name}` no key")
