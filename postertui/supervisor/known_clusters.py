"""Clusters that this user has named: only those get the cluster's token.

A runs folder says where its runs are trained. One that came from elsewhere could name any address,
so an address counts only once the user has given it with `--on`.

    <state>/postertui/clusters.json   the addresses, as `--on` takes them

The list is one of `postertui.system.own_files`: it never lies in the runs folder, and a user
without a home has named none.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.own_files import own_state_file, read_own_list

#: What the list holds, in messages.
CONTENT = "the clusters that you use"


def remember_cluster(address: str) -> None:
    """Note that the user has named `address`.

    Raises `UserError` where the user has no place for the list, or it is damaged, and `OSError`.
    """
    path = _path()
    addresses = read_own_list(path, str, CONTENT)
    if address not in addresses:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, msgspec.json.encode(sorted({*addresses, address})) + b"\n")


def check_known(folder: Path, address: str) -> None:
    """Refuse a cluster that the user has never named.

    Parameters
    ----------
    address
        The one that the settings of `folder` name.

    Raises
    ------
    UserError
        Where it is another than those that the user named.
    """
    if address not in read_own_list(_path(), str, CONTENT):
        raise UserError(
            f"{folder}: its settings name the cluster {address}, which you have not used before; "
            f"`postertui resume --on {address}` goes on there, `--on here` on this machine"
        )


def _path() -> Path:
    return own_state_file("clusters.json", CONTENT)
