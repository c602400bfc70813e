"""The user's own functions of a run: copies in its folder, executed only where they are trusted.

A runs folder may be another user's. What is executed are the bytes that this module has read and
digested once: the digest must be the run's, and one that this user trusts.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path

from postertui.runs import layout
from postertui.study import Variant
from postertui.study.custom import MAX_CODE_BYTES
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.regular_files import read_regular
from postertui.system.trusted_files import trusted_files

#: Content by the file's name without `.py`.
Code = Mapping[str, bytes]


def digest_of(data: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def write_code(run_folder: Path, variant: Variant, code: Code) -> None:
    """Put the files of a variant's own functions into the run's folder.

    Where there are links or other files of these names, they are replaced.

    Parameters
    ----------
    code
        Contents by the name that the variant has for them; what is missing is left out.

    Raises
    ------
    OSError
        Where a file cannot be written.
    """
    for file in variant.code:
        if file.name in code:
            write_atomic(run_folder / layout.code_file(file.name), code[file.name])


def read_code(
    run_folder: Path, variant: Variant, accepted_digests: frozenset[str] = frozenset()
) -> Code:
    """The files of a variant's own functions, from the run's folder.

    Parameters
    ----------
    accepted_digests
        SHA-256 digests, in hex digits, that need no trust of this user: those that a driver sent.

    Returns
    -------
    dict
        Contents by the name that the variant has for them.

    Raises
    ------
    UserError
        For a file that is missing, changed, or not trusted.
    """
    if not variant.code:
        return {}
    code = {}
    for file in variant.code:
        path = run_folder / layout.code_file(file.name)
        try:
            code[file.name] = read_regular(path, MAX_CODE_BYTES)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; `postertui rm` the run and train") from None
        if digest_of(code[file.name]) != file.sha256:
            raise UserError(
                f"{path}: not the file that the run was asked for (its SHA-256 differs), so not "
                "executed; `postertui rm` the run and train"
            )
    unknown = {file.sha256 for file in variant.code} - accepted_digests
    if unknown:
        unknown -= {entry.sha256 for entry in trusted_files()}
    for file in variant.code:
        if file.sha256 in unknown:
            path = run_folder / layout.code_file(file.name)
            raise UserError(
                "you have not trusted the run's own code, so it is not executed; read it, then "
                f"`postertui trust {shlex.quote(str(path))}` and retry"
            )
    return code
