"""Sections as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from postertui.analysis.tables.section import Section, clean
from postertui.system.text import pluralize

#: More rows are cut on a terminal, and never folded: for tens of thousands that takes minutes.
MANY_ROWS = 200


def plain_sections(
    sections: Sequence[Section],
    width: int | None,
    *,
    many_rows: int | None = None,
    folded: bool = True,
    notes_width: int | None = 0,
    styled: bool | None = None,
) -> str:
    """The sections as text.

    Parameters
    ----------
    sections
        What is printed.
    width
        In columns; None for the terminal's.
    many_rows
        Tables are cut after so many rows, which is said; None for all rows.
    folded
        What is too wide goes on in the next line where there are few rows; else each row is one
        line, as a pipe wants it.
    notes_width
        Columns that notes are folded into; 0 for as wide as tables, None for not at all.
    styled
        Titles are bold by escape sequences; by default where standard output is a terminal.
    """
    console = Console(width=width, highlight=False, force_terminal=styled)
    with console.capture() as captured:
        for index, section in enumerate(sections):
            if index:
                console.print()
            console.print(Text(clean(section.title), style="bold"), soft_wrap=not folded)
            rows = section.frame.height
            if not rows:
                console.print(Text("Nothing."))
            elif not folded or (rows > MANY_ROWS and many_rows is None):
                console.out(_aligned(section), end="", highlight=False)
            else:
                console.print(_folded(section, many_rows or rows))
            if many_rows is not None and rows > many_rows:
                left_out = pluralize(rows - many_rows, "row")
                console.print(Text(f"… and {left_out}; a pipe, --format csv and json have all."))
            for note in section.notes:
                console.print(
                    Text(clean(note)), width=notes_width or None, soft_wrap=notes_width is None
                )
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


def _aligned(section: Section) -> str:
    """The section's rows in columns as wide as they need, each row on one line."""
    rows = [[column.heading for column in section.columns]]
    for row in section.frame.iter_rows(named=True):
        rows.append([" ".join(clean(column.cell(row)).split()) for column in section.columns])
    widths = [max(map(_display_width, column)) for column in zip(*rows, strict=True)]
    sides = [column.right for column in section.columns]
    return "".join("  ".join(map(_padded, row, widths, sides)).rstrip() + "\n" for row in rows)


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _display_width(text))
    return blanks + text if right else text + blanks


def _display_width(text: str) -> int:
    """How many terminal cells the text takes."""
    return len(text) if text.isascii() else cell_len(text)
