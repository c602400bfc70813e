"""A titled table as GitHub's Markdown."""

from __future__ import annotations

import re

from postertui.analysis.tables.section import Section, clean

#: What starts a span of its own; an underscore inside a word starts none.
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")

#: What starts a heading, a list or a quotation at the beginning of a line.
_START = re.compile(r"^(\d*)(#+(?=\s|$)|[-+=]+(?=\s|$)|>|(?<=\d)[.)](?=\s|$))")


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
    text = _MARKS.sub(r"\\\g<0>", clean(text))
    text = _START.sub(r"\g<1>\\\g<2>", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")
