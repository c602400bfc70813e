"""Sections as text for a pipe or a file, without a library for terminals."""

from __future__ import annotations

from collections.abc import Sequence

from postertui.analysis.tables.section import Section, clean


def piped_sections(sections: Sequence[Section]) -> str:
    """The sections with all their rows, each on one line, and notes that are not folded."""
    return "\n".join(map(_section, sections))


def _section(section: Section) -> str:
    rows = aligned_rows(section) if section.frame.height else "Nothing.\n"
    notes = "".join(f"{clean(note)}\n" for note in section.notes)
    return f"{clean(section.title)}\n{rows}{notes}"


def aligned_rows(section: Section) -> str:
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
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
