"""The page as GitHub's Markdown, for a pull request: what the HTML page says, less its long tables.

Figures are linked, not embedded: GitHub shows no image that is inside the text.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from postertui.analysis.tables.markdown import markdown_section, markdown_text
from postertui.report.page.content import Chapter, Page


def render_markdown(page: Page, folder: Path) -> str:
    """The page as text that is to lie in `folder`."""
    parts = [f"# {markdown_text(page.title)}", markdown_text(page.subtitle), _bullets(page.summary)]
    for chapter in page.chapters:
        parts += _chapter(chapter)
    if page.figures:
        parts.append("## Figures")
    for figure in page.figures:
        place = quote(Path(os.path.relpath(figure.image, folder)).as_posix())
        title = markdown_text(figure.title)
        parts.append(f"![{title}]({place})")
        parts.append(" ".join([f"{title}.", *map(markdown_text, figure.notes)]))
    parts.append("## Provenance")
    parts.append(_bullets([f"{term}: {text}" for term, text in page.provenance]))
    return "\n\n".join(parts) + "\n"


def _chapter(chapter: Chapter) -> list[str]:
    parts = [f"## {markdown_text(chapter.title)}", *map(markdown_text, chapter.notes)]
    parts += [markdown_section(section, level=3) for section in chapter.tables]
    if chapter.galleries:
        parts.append("In the HTML page only: the posters.")
    if chapter.folded:
        titles = ", ".join(f"{s.title} ({s.frame.height} rows)" for s in chapter.folded)
        parts.append(f"In the HTML page only: {markdown_text(titles)}.")
    return parts


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown_text(line)}" for line in lines)
