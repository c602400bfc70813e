"""Which files of functions a request to train makes trusted: one's own, named in one's own study.

A file of another user's, one that every user may change, or that lies in the runs folder has
to be trusted by name (`postertui trust FILE`).
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

from postertui.study import CodeSource
from postertui.system.errors import UserError
from postertui.system.sharing import user_name
from postertui.system.trusted_files import trust, trusted_files


def trust_own_files(runs: Path, sources: Iterable[CodeSource]) -> None:
    """Trust these files from now on. Raises `UserError` for one that is not the user's own."""
    files = list(sources)
    if files:
        check_own_files(runs, files)
        trust((source.sha256, source.path) for source in files)


def check_own_files(runs: Path, sources: Iterable[CodeSource]) -> None:
    """Refuse files of code that are neither the user's own nor trusted.

    Raises
    ------
    UserError
        Naming the first such file.
    """
    files = list(sources)
    if not files:
        return
    trusted = {entry.sha256 for entry in trusted_files()}
    for source in files:
        reason = _reason_to_refuse(runs, source)
        if reason and source.sha256 not in trusted:
            raise UserError(
                f"{source.path} {reason}: read it, then "
                f"`postertui trust {shlex.quote(str(source.path))}`"
            )


def _reason_to_refuse(runs: Path, source: CodeSource) -> str:
    for owner in source.owners:
        if owner != os.geteuid():
            return f"belongs to {user_name(owner)}, or the study does"
    if stat.S_IMODE(source.mode) & stat.S_IWOTH:
        return "may be changed by every user"
    if source.path.resolve().is_relative_to(runs.resolve()):
        return "lies in the runs folder, which others may have made"
    return ""
