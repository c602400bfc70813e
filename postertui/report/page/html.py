"""The page as one HTML file: no network, no library, readable without JavaScript.

The script only adds to it: headings become buttons that sort, long tables get a filter. A content
security policy lets nothing else run or load.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from postertui.analysis.tables.section import Section, clean
from postertui.report.page.content import Page
from postertui.report.page.images import embed

#: A table of at least this many rows has a filter.
LONG = 9

#: A cell of this many characters is a sentence, which needs some width on a phone.
PROSE = 48

#: Words that a cell can consist of, and how it is coloured; the word says it as well.
_TONES = {
    "better": "good",
    "above": "good",
    "worse": "bad",
    "below": "bad",
    "dead": "bad",
    "diverging": "bad",
    "always-yes": "bad",
    "always-no": "bad",
    "too little data": "faint",
    "undecided": "faint",
    "unclear": "faint",
}


def render_html(page: Page) -> str:
    """The whole page as text. Everything from the table is escaped."""
    environment = Environment(
        loader=PackageLoader("postertui.report", "page"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (
        files("postertui.report.page").joinpath(f).read_text() for f in ("page.css", "page.js")
    )
    return environment.get_template("page.html.j2").render(
        page=page,
        images={figure.name: embed(figure.image) for figure in page.figures},
        style=style,
        script=script,
        style_hash=_source_hash(style),
        script_hash=_source_hash(script),
        rows=_rows,
        long=LONG,
    )


def _rows(section: Section) -> list[list[tuple[str, str]]]:
    """The cells of a table as pairs of text and class."""
    sides = ["n" if column.right else "" for column in section.columns]
    rows = []
    for row in section.frame.iter_rows(named=True):
        texts = [clean(column.cell(row)) for column in section.columns]
        rows.append(
            [
                (text, f"{side} {_kind(text)}".strip())
                for text, side in zip(texts, sides, strict=True)
            ]
        )
    return rows


def _kind(text: str) -> str:
    return "prose" if len(text) > PROSE else _TONES.get(text, "")


def _source_hash(text: str) -> str:
    """The text's hash as a content security policy writes it."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
