"""Sections as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postertui.analysis.tables.piped import aligned_rows
from postertui.analysis.tables.section import Section, clean
from postertui.system.text import pluralize

#: More rows are cut on a terminal, and never folded: for tens of thousands that takes minutes.
MANY_ROWS = 200


def plain_sections(
    sections: Sequence[Section],
    width: int | None,
    *,
    many_rows: int | None = None,
    notes_width: int = 0,
    styled: bool | None = None,
) -> str:
    """The sections as text; what is too wide goes on in the next line where there are few rows.

    Parameters
    ----------
    sections
        What is printed.
    width
        In columns; None for the terminal's.
    many_rows
        The rows after which tables are cut, with a line that says so; None for all rows.
    notes_width
        Columns that notes are folded into; 0 for as wide as tables.
    styled
        Titles are bold by escape sequences; by default where standard output is a terminal.
    """
    console = Console(width=width, highlight=False, force_terminal=styled)
    with console.capture() as captured:
        for index, section in enumerate(sections):
            if index:
                console.print()
            console.print(Text(clean(section.title), style="bold"))
            rows = section.frame.height
            if not rows:
                console.print(Text("Nothing."))
            elif rows > MANY_ROWS and many_rows is None:
                console.out(aligned_rows(section), end="", highlight=False)
            else:
                console.print(_folded(section, many_rows or rows))
            if many_rows is not None and rows > many_rows:
                left_out = pluralize(rows - many_rows, "row")
                console.print(Text(f"… and {left_out}; a pipe, --format csv and json have all."))
            for note in section.notes:
                console.print(Text(clean(note)), width=notes_width or None)
    return captured.get()


def _folded(section: Section, most: int) -> Table:
    """The section's first `most` rows; what is too wide goes on in the next line."""
    table = Table(box=None, pad_edge=False, header_style="italic")
    for column in section.columns:
        side = "right" if column.right else "left"
        table.add_column(Text(column.heading), justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in section.frame.head(most).iter_rows(named=True):
        table.add_row(*(Text(clean(column.cell(row))) for column in section.columns))
    return table
