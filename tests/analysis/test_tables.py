"""Tables for people: cells, and Markdown that nothing from the data can break."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from postertui.analysis.ensemble import ensemble
from postertui.analysis.summary import (
    baselines_line,
    dead_line,
    ensemble_line,
    listed,
    undefined_line,
)
from postertui.analysis.tables.baselines import baselines_section
from postertui.analysis.tables.diagnosis import diagnosis_section, kinds_section
from postertui.analysis.tables.leaderboard import mean_and_sd
from postertui.analysis.tables.markdown import markdown_section, markdown_text
from postertui.analysis.tables.plain import plain_sections
from postertui.analysis.tables.section import (
    Column,
    Section,
    clean,
    interval,
    number,
    p_value,
    text,
)
from tests.support.analysis_tables import history, stack
from tests.support.study_2017 import Study2017, every_study


def test_cells() -> None:
    assert number("x")({"x": 0.12345}) == "0.1235"
    assert number("x", 2, sign=True)({"x": 0.5}) == "+0.50"
    assert [number("x")({"x": v}) for v in (None, float("nan"))] == ["–", "–"]  # noqa: RUF001
    assert [p_value("p")({"p": v}) for v in (0.0004, 0.0412, 1.0)] == ["<.001", ".041", "1.000"]
    assert interval("a", "b")({"a": -0.01, "b": 0.02}) == "-0.0100 to +0.0200"
    assert interval("a", "b")({"a": None, "b": 0.02}) == "–"  # noqa: RUF001
    assert text("x")({"x": None}) == ""


def test_clean_is_one_harmless_line() -> None:
    assert clean("a\x1b[31mb\n c\t\u202ed") == "ab c \N{REPLACEMENT CHARACTER}d"


@given(st.text(max_size=40))
def test_markdown_shows_any_text_as_it_is(value: str) -> None:
    frame = pl.DataFrame({"x": [value]}, schema={"x": pl.String})
    section = Section("k", value, frame, [Column("h", text("x")), Column("i", lambda _: "end")])
    html = render(markdown_section(section))
    assert html.count("<tr>") == 2
    assert html.count("<td") == 2
    assert "<td>end</td>" in html
    assert unescape(html.split("<td>")[1].split("</td>")[0]) == clean(value)


@given(st.from_regex(r"[-+#=>*_ 0-9.)a`~!\[\]&<|]{0,9}", fullmatch=True) | st.text(max_size=40))
def test_a_paragraph_shows_any_text_as_it_is(value: str) -> None:
    html = render(markdown_text(value)).strip()
    assert unescape(html.removeprefix("<p>").removesuffix("</p>")) == clean(value)


def render(markdown: str) -> str:
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(markdown))


def test_an_empty_table_says_so() -> None:
    section = Section("k", "t", pl.DataFrame({"x": []}), [Column("h", text("x"))], ["note"])
    assert markdown_section(section).splitlines() == ["## t", "", "Nothing.", "", "note"]


def test_findings_are_counted() -> None:
    table = stack(history("a", "War", dead=True), history("b", "Drama", dead=True), history("c"))
    section = diagnosis_section(table)
    assert section.notes[0] == "3 runs: 2 dead; 1 without a finding."
    kinds = kinds_section(section.frame).frame.row(0, named=True)
    assert (kinds["kind"], kinds["runs"], kinds["genres"]) == ("dead", 2, 2)


def test_lines_of_a_table_without_trouble() -> None:
    assert dead_line(history()) == "None of 5 epochs comes from a dead model."
    assert undefined_line(history()) == ""
    assert undefined_line(history(test_fscore=None)) == ""
    assert baselines_line(history(genre="Opera"), "test_fscore", "base") == ""
    two = stack(history(train_fscore=0.5), history(name="l2-1e-4", train_fscore=0.4))
    assert " over 1 genre; the best" in ensemble_line(ensemble(two))
    assert listed([str(k) for k in range(14)]).endswith("11 and 2 more")


@every_study
def test_what_a_table_of_2017_says(study_2017: Study2017) -> None:
    table = study_2017.table()
    runs = f"in {study_2017.dead_runs} of {study_2017.runs} runs."
    assert dead_line(table) == f"{study_2017.dead_line}, {runs}"
    assert undefined_line(table).startswith(f"{study_2017.undefined_line}: ")
    assert study_2017.drama_line in baselines_line(table, "test_fscore", "base")
    macro_f1 = f"macro-F1 of {study_2017.macro_f1} over 10 genres"
    assert macro_f1 in ensemble_line(ensemble(table))


def test_mean_and_spread_in_words() -> None:
    assert mean_and_sd(0.3851, 0.0042, 5) == "0.385 ± 0.004 (n = 5)"
    assert mean_and_sd(0.3851, None, 1) == "0.385"
    assert mean_and_sd(None, None, 0) == "n/a"


def test_a_long_table_says_how_many_rows_a_terminal_leaves_out_and_a_pipe_has_them_all() -> None:
    rows = pl.DataFrame({"row": [f"row-{number}" for number in range(1203)]})
    section = Section("rows", "Rows", rows, [Column("row", lambda row: str(row["row"]))])
    cut = plain_sections([section], 80, many_rows=200)
    assert "row-199" in cut
    assert "row-200" not in cut
    assert "… and 1,003 rows; a pipe, --format csv and json have all." in cut
    whole = plain_sections([section], 80)
    assert "row-1202" in whole
    assert "… and" not in whole


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_number_and_no_word_breaks_in_a_narrow_terminal(width: int) -> None:
    table = stack(
        *(history(genre=g, seed=s) for g in ("Comedy", "Science_Fiction") for s in (1, 2))
    )
    section = baselines_section(table, "test_fscore", "last", "base")
    printed = plain_sections([replace(section, notes=())], width)
    assert max(map(len, printed.splitlines())) <= width
    words = printed.split()
    for column in section.columns:
        assert set(column.heading.split()) <= set(words)
        for row in section.frame.iter_rows(named=True):
            assert set(column.cell(row).split()) <= set(words)
    # Columns that follow below stand behind the first one again.
    assert words.count("Science_Fiction") == words.count("genre") > (width < 100)


def test_a_long_text_folds_beside_the_other_columns() -> None:
    rows = pl.DataFrame({"run": ["a", "b"], "advice": ["train it for more epochs " * 8] * 2})
    columns = [Column(name, text(name)) for name in rows.columns]
    printed = plain_sections([Section("advice", "Advice", rows, columns)], 60)
    assert printed.count("advice") == 1
    assert max(map(len, printed.splitlines())) <= 60
    assert printed.count("epochs") == 16


def test_bars_say_what_their_intervals_hold() -> None:
    one = history(genre="Comedy")
    several = stack(*(history(seed=s, test_fscore=0.35 + s / 100) for s in range(6)))
    for table, words in ((one, "sampling error alone"), (several, "to the noise of a run")):
        assert words in baselines_section(table, "test_fscore", "last", "base").notes[-1]
