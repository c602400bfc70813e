"""The details of a data folder: `details.parquet`, and what `dataset.json` says of it.

`details.parquet` has a column `id` (int64, ascending) and the columns of the user's table in the
types of their kinds, null where unknown; rows for posters of the folder only.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.details.info import FILE, ColumnKind, DetailsInfo
from postertui.data.details.kinds import column_type
from postertui.system.errors import UserError
from postertui.system.regular_files import MAX_RESULT_BYTES, read_regular
from postertui.tabular.parquet_file import write_parquet

ID = "id"

Ids = NDArray[np.int64]


class Details:
    """Details of posters by id. `kinds` has the columns' names and kinds in order."""

    def __init__(self, frame: pl.DataFrame, kinds: dict[str, ColumnKind]) -> None:
        self.kinds = kinds
        self.frame = frame.sort(ID)
        self._ids: Ids = self.frame[ID].to_numpy()

    @property
    def digest(self) -> str:
        """A digest of ids, columns and values."""
        content = hashlib.sha256(msgspec.json.encode(self.kinds))
        content.update(self.frame.write_ndjson().encode())
        return content.hexdigest()[:32]

    def has(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of the posters `ids` have details, bool (n,)."""
        return np.isin(ids, self._ids)

    def rows(self, ids: Ids) -> pl.DataFrame:
        """A row for each of the posters `ids`, all null for one without details."""
        requested = pl.DataFrame({ID: ids}, schema={ID: pl.Int64})
        return requested.join(self.frame, on=ID, how="left", maintain_order="left").drop(ID)

    def write(self, folder: Path) -> None:
        """Write `details.parquet`. Raises `OSError`."""
        write_parquet(self.frame, folder / FILE)


def read_details(folder: Path, info: DetailsInfo) -> Details:
    """The details in a data folder.

    Raises
    ------
    UserError
        Where the file is missing, damaged or not what the description says.
    """
    path = folder / FILE
    try:
        data = read_regular(path, MAX_RESULT_BYTES)
        frame = pl.read_parquet(data, hive_partitioning=False)
        columns = [pl.col(ID).cast(pl.Int64)]
        columns += [pl.col(name).cast(column_type(kind)) for name, kind in info.columns.items()]
        details = Details(frame.select(columns), info.columns)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; build the data again") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise UserError(f"{path}: damaged ({reason}); build the data again") from None
    if details.digest != info.digest:
        raise UserError(
            f"{path}: not what was built (damaged, or changed since); build the data again"
        )
    return details
