"""Lists whose content is believed, because only the user can have written them.

They lie in the user's own state folder, never in a folder that another user may have prepared: a
user without a home has none, and what needs one is refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from postertui.system.errors import UserError
from postertui.system.regular_files import read_regular
from postertui.system.user_folders import has_own_folder, user_folder

T = TypeVar("T")

#: The largest size of such a list in bytes.
MAX_LIST_BYTES = 1 << 22


def own_state_file(name: str, content: str) -> Path:
    """The path of a file in the user's own state folder; it need not exist.

    Parameters
    ----------
    content
        What it holds, in messages.

    Raises
    ------
    UserError
        Where the user has no place of their own.
    """
    if not has_own_folder("STATE"):
        raise UserError(f"no home folder to keep {content} in; set XDG_STATE_HOME")
    folder = user_folder("STATE")
    if not folder.is_absolute():
        raise UserError(f"XDG_STATE_HOME={folder}: name an absolute path to keep {content} in")
    return folder / "postertui" / name


def read_own_list(path: Path, model: type[T], content: str) -> list[T]:
    """The entries of a JSON list that only this user can have written; empty where there is none.

    Parameters
    ----------
    model
        The type of an entry.
    content
        What the list holds, in messages.

    Raises
    ------
    UserError
        Where others own the file or may write it, where it is a link, and where it is anything else
        than a list of `model`.
    """
    try:
        status = path.lstat()
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
            raise UserError(
                f"{path}: others own or may write it, so nothing in it counts; remove it"
            )
        return msgspec.json.decode(
            read_regular(path, MAX_LIST_BYTES),
            type=list[model],  # type: ignore[valid-type]
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise UserError(f"{path}: not a list of {content}; remove it") from None
