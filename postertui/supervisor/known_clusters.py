"""Clusters that this user has named: only those get the cluster's token.

A runs folder says where its runs are trained. One that came from elsewhere could name any address,
so an address counts only once the user has given it with `--on`.

    <state>/postertui/clusters.json   the addresses, as `--on` takes them
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.regular_files import read_json
from postertui.system.user_folders import user_folder


def remember_cluster(address: str) -> None:
    """Note that the user has named `address`. Raises `OSError`."""
    addresses = _read()
    if address not in addresses:
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, msgspec.json.encode(sorted({*addresses, address})) + b"\n")


def check_known(folder: Path, address: str) -> None:
    """Raise `UserError` unless the user has named `address`, which the settings of `folder` do."""
    if address not in _read():
        raise UserError(
            f"{folder}: its settings name the cluster {address}, which you have not used before; "
            f"`postertui resume --on {address}` goes on there, `--on here` on this machine"
        )


def _path() -> Path:
    return user_folder("STATE") / "postertui" / "clusters.json"


def _read() -> list[str]:
    try:
        return read_json(_path(), list[str], "a list of clusters")
    except (OSError, UserError):
        return []
