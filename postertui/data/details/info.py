"""What a data folder's description says of its details; loads no polars."""

from __future__ import annotations

from typing import Literal

import msgspec

#: The file in a data folder.
FILE = "details.parquet"

ColumnKind = Literal["number", "category", "list", "text"]


class DetailsInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The details of a data folder.

    Attributes
    ----------
    columns
        Name to kind.
    posters
        How many posters have details.
    digest
        Of the content: equal for equal details.
    gives_away
        Columns from which a genre's label can be read off, with that genre.
    """

    columns: dict[str, ColumnKind]
    posters: int
    digest: str
    gives_away: dict[str, str] = {}
