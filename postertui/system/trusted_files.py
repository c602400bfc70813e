"""Files that this user lets be executed, by the SHA-256 of their content.

    <state>/postertui/trusted.json   a list of `TrustedFile`, for the user's eyes only

The list is one of `postertui.system.own_files`: a user without a home trusts nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.locks import FileLock
from postertui.system.own_files import own_state_file, read_own_list

#: What the list holds, in messages.
CONTENT = "trusted files"

#: Seconds to wait for another process that changes the list.
PATIENCE = 10.0


class TrustedFile(msgspec.Struct, frozen=True):
    """A content that may be executed.

    Parameters
    ----------
    sha256
        Its digest, in hex digits.
    path
        The path that it had.
    since
        When it was trusted, in seconds since 1970.
    """

    sha256: str
    path: str
    since: float = 0.0


def trust(files: Iterable[tuple[str, Path]]) -> list[TrustedFile]:
    """Trust contents.

    Parameters
    ----------
    files
        The SHA-256 of each, in hex digits, and its path.

    Returns
    -------
    list of TrustedFile
        Those that are new.

    Raises
    ------
    UserError
        Where the list of what is trusted cannot be read or written.
    """
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
    """What this user trusts, oldest first. Raises `UserError` where the list cannot be read."""
    return _read(_path())


def _path() -> Path:
    return own_state_file("trusted.json", CONTENT)


def _read(path: Path) -> list[TrustedFile]:
    return read_own_list(path, TrustedFile, CONTENT)


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
