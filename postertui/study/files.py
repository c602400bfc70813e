"""Reads studies from TOML files: which file it is, and a parsed document as a study."""

from __future__ import annotations

import re
from pathlib import Path

from postertui.study.document import DocumentReader
from postertui.study.studies import Study
from postertui.system.errors import UserError

BUILTIN = Path(__file__).parent / "builtin"


def builtin_studies() -> list[str]:
    """The names of the studies that come with the program."""
    return sorted(path.stem for path in BUILTIN.glob("*.toml"))


def load_study(name_or_path: str | Path) -> Study:
    """A built-in study by its name, or a TOML file.

    Raises
    ------
    UserError
        Names file, line, key and what is allowed.
    """
    path = Path(name_or_path)
    if str(name_or_path) in builtin_studies():
        path = BUILTIN / f"{name_or_path}.toml"
    elif not path.exists() and path.suffix != ".toml":
        names = ", ".join(builtin_studies())
        raise UserError(f"{path}: no built-in study of that name ({names}) and no such file")
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a study's TOML file") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 text (byte {error.start}); is it a TOML file?"
        ) from None
    return parse_study(text, str(path), owner=path.stat().st_uid)


def parse_study(text: str, source: str, owner: int | None = None) -> Study:
    """A study from TOML.

    Parameters
    ----------
    source
        The file's path: errors name it, and it gives the default name.
    owner
        The user id of the file's owner; None where the text has no file.

    Raises
    ------
    UserError
        Names file, line, key and what is allowed.
    """
    import tomllib

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{source}:{line[1]}" if line else source
        raise UserError(f"{where}: not TOML: {error}") from None
    return DocumentReader(source, text, owner).study(document)
