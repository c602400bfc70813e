"""Sections as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from postertui.analysis.tables.column_fitting import column_blocks, fitted_widths
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

    Lines break between words only. Columns that even so find no room follow below, behind the
    first column again.

    Parameters
    ----------
    sections
        What is printed.
    width
        In columns; None for the terminal's.
    many_rows
        The rows after which tables are cut, with a line that says so; None for all rows.
    notes_width
        Columns that titles and notes are folded into; 0 for as wide as tables.
    styled
        Titles are bold by escape sequences; by default where standard output is a terminal.
    """
    console = Console(width=width, highlight=False, force_terminal=styled)
    with console.capture() as captured:
        for index, section in enumerate(sections):
            if index:
                console.print()
            console.print(Text(clean(section.title), style="bold"), width=notes_width or None)
            rows = section.frame.height
            if not rows:
                console.print(Text("Nothing."))
            elif rows > MANY_ROWS and many_rows is None:
                console.out(aligned_rows(section), end="", highlight=False)
            else:
                for table in _folded(section, many_rows or rows, console.width):
                    console.print(table)
            if many_rows is not None and rows > many_rows:
                left_out = pluralize(rows - many_rows, "row")
                console.print(Text(f"… and {left_out}; a pipe, --format csv and json have all."))
            for note in section.notes:
                console.print(Text(clean(note)), width=notes_width or None)
    return captured.get()


def _folded(section: Section, most: int, width: int) -> list[Table]:
    """The section's first `most` rows, in as many tables as its columns need."""
    cells = [
        [clean(column.cell(row)) for row in section.frame.head(most).iter_rows(named=True)]
        for column in section.columns
    ]
    texts = [[c.heading, *column] for c, column in zip(section.columns, cells, strict=True)]
    natural = [max(map(cell_len, column)) for column in texts]
    least = [max((cell_len(w) for t in column for w in t.split()), default=1) for column in texts]
    tables = []
    for block in column_blocks(natural, least, width):
        table = Table(box=None, pad_edge=False, header_style="italic")
        widths = fitted_widths([natural[i] for i in block], [least[i] for i in block], width)
        for i, column_width in zip(block, widths, strict=True):
            side: JustifyMethod = "right" if section.columns[i].right else "left"
            heading = Text(section.columns[i].heading)
            table.add_column(heading, justify=side, overflow="fold", width=column_width)
        for row in zip(*(cells[i] for i in block), strict=True):
            table.add_row(*map(Text, row))
        tables.append(table)
    return tables
