"""Results on standard output: as a table for people, Markdown, CSV or JSON."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from postertui.analysis.tables.section import Section
from postertui.cli.options import print_json
from postertui.cli.streams import styled

if TYPE_CHECKING:
    import polars as pl

OutputFormat = Literal["table", "md", "csv", "json", "junit"]
FORMATS: tuple[OutputFormat, ...] = ("table", "md", "csv", "json")


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--format table|md|csv|json` and `--json`, as the argument `output`."""
    return choose_format(FORMATS)(command)


def choose_format(
    formats: Sequence[OutputFormat],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--format` with those choices and `--json`, as the argument `output`."""
    return functools.partial(_with_format, formats=formats)


def _with_format(
    command: Callable[..., Any], formats: Sequence[OutputFormat]
) -> Callable[..., Any]:
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
    sections: Sequence[Section], output: OutputFormat, extra: Mapping[str, Any] | None = None
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
            from postertui.history.spreadsheets import spreadsheet_safe

            click.echo(spreadsheet_safe(sections[0].frame.fill_nan(None)).write_csv(), nl=False)
        case "md":
            from postertui.analysis.tables.markdown import markdown_section

            click.echo("\n\n".join(markdown_section(section) for section in sections))
        case "junit":
            from postertui.analysis.tables.junit import junit_xml

            click.echo(junit_xml(sections))
        case "table":
            if sys.stdout.isatty():
                from postertui.analysis.tables.plain import MANY_ROWS, plain_sections

                text = plain_sections(sections, None, many_rows=MANY_ROWS)
            else:
                from postertui.analysis.tables.piped import piped_sections

                text = piped_sections(sections)
            click.echo(text, file=styled(sys.stdout), nl=False)


def json_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as JSON objects; NaN becomes null."""
    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        for row in frame.iter_rows(named=True)
    ]
