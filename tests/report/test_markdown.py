"""The page as Markdown, as GitHub's renderer reads it."""

from __future__ import annotations

from html import unescape
from pathlib import Path

from markdown_it import MarkdownIt

from postertui.report.page.content import build_page
from postertui.report.page.markdown import render_markdown
from tests.support.pages import NASTY, make_page
from tests.support.study_2017 import Study2017, every_study

#: GitHub takes no longer text for a comment.
LONGEST_COMMENT = 65_536


def render(markdown: str) -> str:
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(markdown))


def test_tables_figures_and_provenance(tmp_path: Path) -> None:
    page = make_page(tmp_path / "my figures")
    html = render(render_markdown(page, tmp_path))
    assert html.count("<table>") == sum(
        not table.frame.is_empty() for chapter in page.chapters for table in chapter.tables
    )
    assert '<img src="my%20figures/base.png"' in html
    assert "In the HTML page only: Genre by genre" in html
    assert "Command: postertui report --all --html" in html
    for chapter in page.chapters:
        assert f"<h2>{chapter.title}</h2>" in html


def test_names_from_the_table_are_text(tmp_path: Path) -> None:
    html = render(render_markdown(make_page(tmp_path), tmp_path))
    assert "<img src=x" not in html
    assert f"<td>{NASTY}</td>" in unescape(html)


@every_study
def test_a_table_of_2017_fits_into_a_comment(study_2017: Study2017, tmp_path: Path) -> None:
    page = build_page(study_2017.table(), title="model_perf.tsv")
    assert len(render_markdown(page, tmp_path)) < LONGEST_COMMENT
