"""Results on standard output: as a table for people, Markdown, CSV or JSON."""

from __future__ import annotations

import functools
import json
import math
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    import polars as pl

Format = Literal["table", "md", "csv", "json"]

#: Width of a table that goes into a pipe or a file, where there is no terminal to fit.
_PIPE_WIDTH = 160


@dataclass(frozen=True)
class Column:
    """A column for people: its heading, the text of a row's cell, and its side."""

    heading: str
    cell: Callable[[Mapping[str, Any]], str]
    right: bool = False


@dataclass(frozen=True)
class Section:
    """A titled table: `frame` for machines, `columns` of it for people, sentences under it.

    `key` names it in JSON.
    """

    key: str
    title: str
    frame: pl.DataFrame
    columns: Sequence[Column]
    notes: Sequence[str] = ()


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--format table|md|csv|json` and `--json`, as the argument `output`."""

    @functools.wraps(command)
    def chosen(*args: Any, as_json: bool, output: str, **kwargs: Any) -> Any:
        return command(*args, output="json" if as_json else output, **kwargs)

    json_flag = click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
    return click.option(
        "--format",
        "output",
        type=click.Choice(["table", "md", "csv", "json"]),
        default="table",
        show_default=True,
        help="How to print the result.",
    )(json_flag(chosen))


def print_sections(
    sections: Sequence[Section], output: Format, extra: Mapping[str, Any] | None = None
) -> None:
    """Print the sections; CSV is the first one's frame, JSON an object with one key each.

    `extra` is what JSON says besides.
    """
    match output:
        case "json":
            document = dict(extra or {})
            for section in sections:
                document[section.key] = json_rows(section.frame)
                if section.notes:
                    document.setdefault("notes", []).extend(section.notes)
            click.echo(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False))
        case "csv":
            click.echo(sections[0].frame.fill_nan(None).write_csv(), nl=False)
        case "md":
            click.echo("\n\n".join(markdown_section(section) for section in sections))
        case "table":
            _print_rich(sections)


def json_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as JSON objects; NaN becomes null."""
    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def markdown_section(section: Section, level: int = 2) -> str:
    """The section as GitHub's Markdown; text from the data cannot end a cell or start HTML."""
    lines = [f"{'#' * level} {markdown_text(section.title)}", ""]
    lines.append("| " + " | ".join(markdown_text(c.heading) for c in section.columns) + " |")
    lines.append("| " + " | ".join("---:" if c.right else "---" for c in section.columns) + " |")
    for row in section.frame.iter_rows(named=True):
        lines.append("| " + " | ".join(markdown_text(c.cell(row)) for c in section.columns) + " |")
    if section.frame.is_empty():
        lines[2:] = ["Nothing."]
    for note in section.notes:
        lines += ["", markdown_text(note)]
    return "\n".join(lines)


def markdown_text(text: str) -> str:
    """`text` with the characters escaped that Markdown or HTML would act on."""
    for mark in "\\`*[]<|":
        text = text.replace(mark, "&lt;" if mark == "<" else f"\\{mark}")
    return clean(text)


def clean(text: str) -> str:
    """`text` on one line and without the characters that a terminal or reader would act on."""
    return "".join(" " if c in "\t\n\r" else c for c in text if c in "\t\n\r" or _is_harmless(c))


def _is_harmless(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


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


def _print_rich(sections: Sequence[Section]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    for index, section in enumerate(sections):
        if index:
            console.print()
        console.print(Text(clean(section.title), style="bold"))
        table = Table(box=None, pad_edge=False, header_style="italic")
        for column in section.columns:
            table.add_column(
                Text(column.heading), justify="right" if column.right else "left", overflow="fold"
            )
        for row in section.frame.iter_rows(named=True):
            table.add_row(*(Text(clean(c.cell(row))) for c in section.columns))
        console.print(table if section.frame.height else Text("Nothing."))
        for note in section.notes:
            console.print(Text(clean(note)), soft_wrap=not sys.stdout.isatty())
