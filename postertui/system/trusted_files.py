"""Files that this user lets be executed, by the SHA-256 of their content.

    <state>/postertui/trusted.json   a list of `TrustedFile`, for the user's eyes only

The list lies in the user's own home, never in a folder that another user may have made: a user
without a home trusts nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.locks import FileLock
from postertui.system.regular_files import read_regular
from postertui.system.user_folders import home_folder, user_folder

#: The list's largest size in bytes.
MAX_LIST_BYTES = 1 << 22

#: Seconds to wait for another process that changes the list.
PATIENCE = 10.0


class TrustedFile(msgspec.Struct, frozen=True):
    """A content that may be executed, the path it had, and since when (seconds since 1970)."""

    sha256: str
    path: str
    since: float = 0.0


def trust(files: Iterable[tuple[str, Path]]) -> list[TrustedFile]:
    """Trust these contents (SHA-256 and path); those that are new. Raises `UserError`."""
    wanted = dict(files)
    if not wanted.keys() - {entry.sha256 for entry in trusted_files()}:
        return []
    with _locked() as path:
        entries = _read(path)
        trusted = {entry.sha256 for entry in entries}
        added = [
            TrustedFile(digest, os.fspath(origin.absolute()), time.time())
            for digest, origin in wanted.items()
            if digest not in trusted
        ]
        _write(path, [*entries, *added])
    return added


def distrust(digests: Iterable[str]) -> list[TrustedFile]:
    """Trust these contents no longer; those that were trusted. Raises `UserError`."""
    unwanted = set(digests)
    with _locked() as path:
        entries = _read(path)
        removed = [entry for entry in entries if entry.sha256 in unwanted]
        _write(path, [entry for entry in entries if entry.sha256 not in unwanted])
    return removed


def trusted_files() -> list[TrustedFile]:
    """What this user trusts, oldest first. Raises `UserError` where that cannot be told."""
    return _read(_path())


def _path() -> Path:
    """Raises `UserError` where the user has no place of their own."""
    given = os.environ.get("XDG_STATE_HOME", "")
    if not given and home_folder() is None:
        raise UserError("no home folder to keep trusted files in; set XDG_STATE_HOME")
    folder = user_folder("STATE")
    if not folder.is_absolute():
        raise UserError(f"XDG_STATE_HOME={given}: name an absolute path to keep trusted files in")
    return folder / "postertui" / "trusted.json"


def _read(path: Path) -> list[TrustedFile]:
    try:
        status = path.lstat()
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
            raise UserError(
                f"{path}: others own or may write it, so nothing in it counts; remove it"
            )
        return msgspec.json.decode(read_regular(path, MAX_LIST_BYTES), type=list[TrustedFile])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise UserError(f"{path}: not a list of trusted files; remove it") from None


def _write(path: Path, entries: list[TrustedFile]) -> None:
    try:
        write_atomic(path, msgspec.json.format(msgspec.json.encode(entries)) + b"\n", durable=True)
        path.chmod(0o600)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", exit_code=1) from None


@contextlib.contextmanager
def _locked() -> Iterator[Path]:
    """Keep other processes from changing the list; gives its path. Raises `UserError`."""
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(path.with_suffix(".lock"))
        is_free = lock.acquire(PATIENCE)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", exit_code=1) from None
    if not is_free:
        raise UserError(f"{path}: another process is changing it; try again", exit_code=1)
    with lock:
        yield path
