"""What a user says about histories whose files do not: genre, variant, which column is which."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from postertui.history.metric_names import Validation
from postertui.system.errors import UserError


class FileMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the mapping has for some files.

    Parameters
    ----------
    match
        A glob of their paths or names.
    columns
        From a column of the history table (`train_loss`, `epoch`, `genre`) to the name that the
        file has for it.
    validation
        The cohort of metrics called `val_…`.
    """

    match: str = "*"
    genre: str | None = None
    variant: str | None = None
    seed: int | None = None
    columns: dict[str, str] = {}
    validation: Validation | None = None

    def over(self, other: FileMapping) -> FileMapping:
        """This, and what it leaves open from `other`."""
        return FileMapping(
            genre=self.genre or other.genre,
            variant=self.variant or other.variant,
            seed=other.seed if self.seed is None else self.seed,
            columns={**other.columns, **self.columns},
            validation=self.validation or other.validation,
        )


class HistoryMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file, or the options of `postertui import`: the first match in `files` wins."""

    genre: str | None = None
    variant: str | None = None
    seed: int | None = None
    columns: dict[str, str] = {}
    validation: Validation | None = None
    files: tuple[FileMapping, ...] = ()

    def of(self, path: Path) -> FileMapping:
        """What the mapping has for the file at `path`."""
        general = FileMapping(
            genre=self.genre,
            variant=self.variant,
            seed=self.seed,
            columns=self.columns,
            validation=self.validation,
        )
        for entry in self.files:
            if fnmatch.fnmatchcase(path.name, entry.match) or fnmatch.fnmatchcase(
                str(path), entry.match
            ):
                return entry.over(general)
        return general


def read_mapping(path: Path | None, options: Mapping[str, Any]) -> HistoryMapping:
    """The mapping of a TOML file and the command line.

    Parameters
    ----------
    path
        The file; None without one.
    options
        Fields of `HistoryMapping` that count before the file's; None is not given.

    Raises
    ------
    UserError
        Where the file is no mapping.
    """
    mapping = HistoryMapping()
    if path is not None:
        try:
            mapping = msgspec.toml.decode(path.read_bytes(), type=HistoryMapping)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise UserError(f"{path}: not a mapping of histories: {error}") from None
    given = {name: value for name, value in options.items() if value not in (None, {})}
    if "columns" in given:
        given["columns"] = {**mapping.columns, **given["columns"]}
    return msgspec.structs.replace(mapping, **given)


def parse_columns(texts: Sequence[str]) -> dict[str, str]:
    """`COLUMN=NAME` options as a dictionary.

    Raises
    ------
    UserError
        For a text that is none.
    """
    columns = {}
    for text in texts:
        column, equals, name = text.partition("=")
        if not equals or not column.strip() or not name.strip():
            raise UserError(
                f"--column {text[:60]}: write COLUMN=NAME, such as train_fscore=f1_score"
            )
        columns[column.strip()] = name.strip()
    return columns
