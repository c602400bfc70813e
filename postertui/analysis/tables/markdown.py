"""A titled table as GitHub's Markdown."""

from __future__ import annotations

from postertui.analysis.tables.section import Section, clean


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
