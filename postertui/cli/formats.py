"""Results on standard output: as a table for people, Markdown, CSV or JSON."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from postertui.analysis.tables.section import Section, clean
from postertui.cli.options import print_json
from postertui.cli.streams import styled
from postertui.history.spreadsheets import spreadsheet_safe
from postertui.system.text import pluralize

if TYPE_CHECKING:
    import polars as pl

Format = Literal["table", "md", "csv", "json", "junit"]
FORMATS: tuple[Format, ...] = ("table", "md", "csv", "json")

#: Width of a table that goes into a pipe or a file, where there is no terminal to fit.
_PIPE_WIDTH = 160

#: A longer table is cut on a terminal; elsewhere it is printed without folding what is too wide,
#: which would take minutes for tens of thousands of rows.
MANY_ROWS = 200


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--format table|md|csv|json` and `--json`, as the argument `output`."""
    return choose_format(FORMATS)(command)


def choose_format(
    formats: Sequence[Format],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--format` with those choices and `--json`, as the argument `output`."""
    return functools.partial(_with_format, formats=formats)


def _with_format(command: Callable[..., Any], formats: Sequence[Format]) -> Callable[..., Any]:
    @functools.wraps(command)
    def chosen(*args: Any, as_json: bool, output: str, **kwargs: Any) -> Any:
        return command(*args, output="json" if as_json else output, **kwargs)

    json_flag = click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
    return click.option(
        "--format",
        "output",
        type=click.Choice(formats),
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
            print_json(document)
        case "csv":
            click.echo(spreadsheet_safe(sections[0].frame.fill_nan(None)).write_csv(), nl=False)
        case "md":
            from postertui.analysis.tables.markdown import markdown_section

            click.echo("\n\n".join(markdown_section(section) for section in sections))
        case "junit":
            from postertui.analysis.tables.junit import junit_xml

            click.echo(junit_xml(sections))
        case "table":
            click.echo(_as_text(sections), file=styled(sys.stdout), nl=False)


def json_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as JSON objects; NaN becomes null."""
    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def _aligned(section: Section) -> str:
    """The section's rows in columns as wide as they need, each row on one line."""
    rows = [[column.heading for column in section.columns]]
    for row in section.frame.iter_rows(named=True):
        rows.append([" ".join(clean(column.cell(row)).split()) for column in section.columns])
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    sides = [column.right for column in section.columns]
    return "".join("  ".join(map(_padded, row, widths, sides)).rstrip() + "\n" for row in rows)


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - display_width(text))
    return blanks + text if right else text + blanks


def display_width(text: str) -> int:
    """How many terminal cells the text takes."""
    from rich.cells import cell_len

    return len(text) if text.isascii() else cell_len(text)


def _as_text(sections: Sequence[Section]) -> str:
    """The sections as the terminal takes them, coloured only where it is one."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    with console.capture() as captured:
        for index, section in enumerate(sections):
            if index:
                console.print()
            console.print(Text(clean(section.title), style="bold"))
            table = Table(box=None, pad_edge=False, header_style="italic")
            for column in section.columns:
                table.add_column(
                    Text(column.heading),
                    justify="right" if column.right else "left",
                    overflow="fold",
                )
            rows = section.frame.height
            if rows > MANY_ROWS and not sys.stdout.isatty():
                console.out(_aligned(section), end="", highlight=False)
            else:
                for row in section.frame.head(MANY_ROWS).iter_rows(named=True):
                    table.add_row(*(Text(clean(c.cell(row))) for c in section.columns))
                console.print(table if rows else Text("Nothing."))
            if rows > MANY_ROWS and sys.stdout.isatty():
                left_out = pluralize(rows - MANY_ROWS, "row")
                console.print(Text(f"… and {left_out}; a pipe, --format csv and json have all."))
            for note in section.notes:
                console.print(Text(clean(note)), soft_wrap=not sys.stdout.isatty())
    return captured.get()
