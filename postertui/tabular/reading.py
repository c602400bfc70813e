"""Reading a table, whatever wrote it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.system.native_output import discard_native_stderr
from postertui.system.text import pluralize
from postertui.tabular.decoding import decode, read_bytes
from postertui.tabular.dialect import Dialect, detect_dialect
from postertui.tabular.parsing import ParsedText, parse_text
from postertui.tabular.records import nested_as_text, parse_records
from postertui.tabular.table import Table


def read_tabular(path: Path, encoding: str | None = None) -> Table:
    """The table in a text, JSON or Parquet file.

    Text is taken with tabs, commas, semicolons, bars or blanks between its fields, with any line
    end, packed or not.

    Parameters
    ----------
    encoding
        Of a text file; without it UTF-8, or UTF-16 or UTF-32 where the first bytes say so.

    Raises
    ------
    UserError
        With file and line, where it is no table.
    """
    data = read_bytes(path)
    if data.startswith(b"PAR1"):
        return Table(path, _read_parquet(path, data))
    return parse_table(path, data, encoding)


def parse_table(path: Path, data: bytes, encoding: str | None = None) -> Table:
    """The table in the bytes of a text file; `path` is for messages. Raises `UserError`."""
    data, used = decode(path, data, encoding)
    if (records := parse_records(data)) is not None:
        columns, lines = records
        return Table(path, columns, encoding=used, lines=lines)
    dialect = detect_dialect(path, data)
    parsed = parse_text(path, data, dialect)
    kept, sections = _split_at_headers(parsed, dialect)
    notes = []
    if parsed.literal_quotes:
        notes.append(f"{path}: {pluralize(parsed.literal_quotes, 'quote')} taken literally")
    return Table(
        path=path,
        columns=parsed.columns if kept is None else parsed.columns.filter(kept),
        separator=dialect.separator,
        encoding=used,
        lines=parsed.lines if kept is None else parsed.lines[kept.to_numpy()],
        sections=sections,
        notes=tuple(notes),
    )


def _split_at_headers(
    parsed: ParsedText, dialect: Dialect
) -> tuple[pl.Series | None, NDArray[np.int64] | None]:
    """Which rows are no repetition of the header, and the section of each of those."""
    names = [name for name, text in zip(dialect.names, dialect.header, strict=True) if text]
    texts = [text for text in dialect.header if text]
    first = parsed.columns[names[0]] if names else None
    if first is None or not (first.str.strip_chars() == texts[0]).any():
        return None, None
    repeated = parsed.columns.select(
        pl.all_horizontal(
            (pl.col(name).str.strip_chars() == text).fill_null(value=False)
            for name, text in zip(names, texts, strict=True)
        )
    ).to_series()
    if not repeated.any():
        return None, None
    sections = repeated.cast(pl.Int64).cum_sum().filter(~repeated).to_numpy()
    return ~repeated, sections


def _read_parquet(path: Path, data: bytes) -> pl.DataFrame:
    try:
        with discard_native_stderr():
            frame = pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a whole Parquet file: {reason}") from None
    return frame.with_columns(
        nested_as_text(column) for column in frame if column.dtype.is_nested()
    )
