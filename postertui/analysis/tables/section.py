"""A titled table for display, and the format of its cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postertui.system.text import strip_control_chars

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Column:
    """A displayed column: its heading, the text of a row's cell, and its alignment."""

    heading: str
    cell: Callable[[Mapping[str, Any]], str]
    right: bool = False


@dataclass(frozen=True)
class Section:
    """A titled table.

    Parameters
    ----------
    key
        Names it in JSON.
    frame
        For machines.
    columns
        What of it is displayed.
    notes
        Sentences under it.
    """

    key: str
    title: str
    frame: pl.DataFrame
    columns: Sequence[Column]
    notes: Sequence[str] = ()


def clean(text: str) -> str:
    """`text` on one line and without control characters."""
    return " ".join(strip_control_chars(text).split())


def number(key: str, digits: int = 4, sign: bool = False) -> Callable[[Mapping[str, Any]], str]:
    """A cell with the number `key`; a dash where it is missing."""

    def cell(row: Mapping[str, Any]) -> str:
        value = row[key]
        if value is None or math.isnan(value):
            return "–"  # noqa: RUF001
        return f"{value:{'+' if sign else ''}.{digits}f}"

    return cell


def p_value(key: str) -> Callable[[Mapping[str, Any]], str]:
    """A cell with a p-value, not below .001 in digits."""

    def cell(row: Mapping[str, Any]) -> str:
        value = row[key]
        if value is None or math.isnan(value):
            return "–"  # noqa: RUF001
        return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")

    return cell


def interval(low: str, high: str, sign: bool = True) -> Callable[[Mapping[str, Any]], str]:
    """A cell with an interval; a dash where it is unknown."""
    mark = "+" if sign else ""

    def cell(row: Mapping[str, Any]) -> str:
        a, b = row[low], row[high]
        if a is None or b is None or math.isnan(a) or math.isnan(b):
            return "–"  # noqa: RUF001
        return f"{a:{mark}.4f} to {b:{mark}.4f}"

    return cell


def text(key: str) -> Callable[[Mapping[str, Any]], str]:
    """A cell with the value of `key` as it is; empty where it is missing."""
    return lambda row: "" if row[key] is None else str(row[key])
