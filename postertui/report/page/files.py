"""The page's files: written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from postertui.figures.files import create_folder, write_file
from postertui.report.page.content import Page

PageKind = Literal["html", "markdown"]
KINDS: tuple[PageKind, ...] = get_args(PageKind)
NAMES: dict[PageKind, str] = {"html": "index.html", "markdown": "report.md"}


def write_page(page: Page, out: Path, kinds: Iterable[PageKind] = KINDS) -> list[Path]:
    """Write the page into a folder.

    Parameters
    ----------
    page
        What it says.
    out
        The folder; made where it is missing.
    kinds
        `html` is written as `index.html`, `markdown` as `report.md`.

    Returns
    -------
    list of Path
        The files, in that order.

    Raises
    ------
    UserError
        With exit code 2 where there can be no such folder, 1 where a file cannot be written or a
        figure cannot be read.
    """
    create_folder(out)
    paths = []
    for kind in kinds:
        if kind == "html":
            from postertui.report.page.html import render_html

            text = render_html(page)
        else:
            from postertui.report.page.markdown import render_markdown

            text = render_markdown(page, out)
        paths.append(out / NAMES[kind])
        write_file(paths[-1], text.encode())
    return paths
