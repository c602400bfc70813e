"""Writing Parquet."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a table. Raises `OSError`.

    By way of memory: polars itself raises an error of its own for a full disk, without the reason.
    """
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    path.write_bytes(buffer.getbuffer())
