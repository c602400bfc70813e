"""What is remembered between sessions, and what the user has configured.

`$XDG_STATE_HOME/postertui/view-<folder>.json` holds the view of a runs folder,
`$XDG_STATE_HOME/postertui/filters.json` the saved filters, and
`$XDG_CONFIG_HOME/postertui/config.toml` what only the user writes:

    theme = "light"
    bell = true                        # ring the terminal's bell when a run fails or all is done
    on_end = "notify-send postertui"   # run with the message as its last argument
    [keys]
    "view.metric" = "M,f5"             # ids as `?` shows them; keys as textual calls them
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from postertui.dashboard.state.view_options import ViewOptions
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.user_folders import has_own_folder, user_folder

_KEYS = ("theme", "bell", "on_end", "keys")


class UserConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The user's configuration; see the module's docstring."""

    theme: str = ""
    bell: bool = True
    on_end: str = ""
    keys: dict[str, str] = {}


def config_path() -> Path:
    """Where the user's configuration is; it need not exist."""
    return user_folder("CONFIG") / "postertui" / "config.toml"


def state_folder() -> Path:
    """Where the dashboard keeps what it remembers; it need not exist."""
    return user_folder("STATE") / "postertui"


def load_config(path: Path | None = None) -> UserConfig:
    """The user's configuration. Raises `UserError` naming the file and what is wrong in it.

    A user without a home has none: in a folder that others may have prepared, `on_end` would be
    their command.
    """
    if path is None and not has_own_folder("CONFIG"):
        return UserConfig()
    path = path or config_path()
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return UserConfig()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None
    for key in document:
        if key not in _KEYS:
            raise UserError(f"{path}: unknown setting `{key}`; there are {', '.join(_KEYS)}")
    try:
        return msgspec.convert(document, UserConfig)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}") from None


def view_path(runs: Path) -> Path:
    """Where the view of this runs folder is remembered."""
    digest = hashlib.sha256(os.fsencode(runs.absolute())).hexdigest()[:12]
    return state_folder() / f"view-{digest}.json"


def load_view(runs: Path) -> ViewOptions:
    """The view as it was left; the default where there is none or it cannot be read."""
    try:
        return msgspec.json.decode(view_path(runs).read_bytes(), type=ViewOptions).validated()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ViewOptions()


def save_view(runs: Path, options: ViewOptions) -> None:
    """Remember the view. A disk that cannot be written is no reason to complain."""
    _write(view_path(runs), msgspec.json.encode(options))


def load_filters() -> dict[str, str]:
    """Saved filters, by name."""
    try:
        data = (state_folder() / "filters.json").read_bytes()
        return msgspec.json.decode(data, type=dict[str, str])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def save_filters(filters: dict[str, str]) -> bool:
    """Keep the saved filters; False where they could not be written."""
    data = msgspec.json.format(msgspec.json.encode(filters)) + b"\n"
    return _write(state_folder() / "filters.json", data)


def _write(path: Path, data: bytes) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, data, private=False)
    except OSError:
        return False
    return True
