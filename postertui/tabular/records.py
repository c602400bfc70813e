"""Objects of JSON as rows: a list of them, one a line, pandas' columns; lists as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray


def parse_records(data: bytes) -> tuple[pl.DataFrame, NDArray[np.int64]] | None:
    """The columns of strings and the lines of a list of objects, or of one object a line.

    None where `data`, in UTF-8, is neither. Objects in a list have no line of their own: the first
    line counts for them.
    """
    if data.lstrip()[:1] not in (b"{", b"["):
        return None
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except RecursionError:
        return None
    except ValueError:
        return _json_lines(text)
    if isinstance(value, dict):
        parts = list(value.values())
        if len(parts) == 1 and _is_records(parts[0]):
            value = parts[0]
        elif parts and all(isinstance(part, dict) for part in parts):
            # pandas writes columns of values by index.
            rows = dict.fromkeys(row for part in parts for row in part)
            value = [{name: part.get(row) for name, part in value.items()} for row in rows]
        else:
            value = [value]
    if not _is_records(value):
        return None
    return _columns(value), np.ones(len(value), np.int64)


def nested_as_text(column: pl.Series) -> pl.Series:
    """Lists and structs as the JSON that a text table would have, bytes left out."""
    texts = [None if v is None else _text(_plain(v)) for v in column.to_list()]
    return pl.Series(column.name, texts, pl.String)


def _json_lines(text: str) -> tuple[pl.DataFrame, NDArray[np.int64]] | None:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        rows.append(value)
        lines.append(number)
    return _columns(rows), np.array(lines, np.int64)


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _columns(rows: list[dict[str, Any]]) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame(
        [pl.Series(n, [_text(row.get(n)) for row in rows], pl.String) for n in names]
    )


def _text(value: Any) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(value)
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
    return repr(value)


def _plain(value: Any) -> Any:
    """What JSON can write of a value: a picture of Hugging Face's is its path."""
    if isinstance(value, Mapping):
        kept = {k: _plain(v) for k, v in value.items() if not isinstance(v, bytes)}
        return kept["path"] if set(value) == {"bytes", "path"} else kept
    if isinstance(value, list):
        return [_plain(v) for v in value if not isinstance(v, bytes)]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
