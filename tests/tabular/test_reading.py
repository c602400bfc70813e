"""One reader for every table that a user brings."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.system.errors import UserError
from postertui.tabular import read_tabular
from postertui.tabular.reading import parse_table

GOOD = "id,genres\n1,Été\n2,Drama\n"
HERE = Path("t.csv")


def columns(data: bytes, encoding: str | None = None) -> dict[str, list[str | None]]:
    return parse_table(HERE, data, encoding).columns.to_dict(as_series=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_detected(encoding: str) -> None:
    assert columns(GOOD.encode(encoding)) == {"id": ["1", "2"], "genres": ["Été", "Drama"]}


def test_another_encoding_is_refused_with_its_line_and_read_when_named() -> None:
    data = GOOD.encode("cp1252")
    with pytest.raises(UserError, match=r"line 2: not UTF-8 text \(byte 0xc9\).*--encoding"):
        columns(data)
    assert columns(data, "cp1252")["genres"] == ["Été", "Drama"]
    for wrong in ("klingon", "hex", "rot13"):
        with pytest.raises(UserError, match="no such encoding"):
            columns(data, wrong)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_tables(pack: object, tmp_path: Path) -> None:
    path = tmp_path / "t.csv.packed"
    path.write_bytes(pack(GOOD.encode()))  # type: ignore[operator]
    assert read_tabular(path).columns.height == 2
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="damaged compressed file"):
        read_tabular(path)


def test_a_zip_with_one_table(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/t.csv", GOOD)
        archive.writestr("data/README", "hello")
        archive.writestr("__MACOSX/data/._t.csv", "x")
    assert read_tabular(path).columns["id"].to_list() == ["1", "2"]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data/u.csv", GOOD)
    with pytest.raises(UserError, match=r"holds 2 tables \(data/t.csv, data/u.csv\)"):
        read_tabular(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
    with pytest.raises(UserError, match="spreadsheet's own format; save the sheet as CSV"):
        read_tabular(path)


@pytest.mark.parametrize(
    ("text", "names", "rows", "lines"),
    [
        ("a;b\n1,5;x\n", ["a", "b"], [("1,5", "x")], [2]),
        ("a\tb\n1\tx, y; z\n", ["a", "b"], [("1", "x, y; z")], [2]),
        ("a|b\n1|x\n", ["a", "b"], [("1", "x")], [2]),
        ("sep=;\na;b\n1;2\n", ["a", "b"], [("1", "2")], [3]),
        ('"a" "b"\n"1" "x" "say ""hi"""\n', ["a", "b"], [("x", 'say "hi"')], [2]),
        ('"a"\t"b"\n"1"\t2\t"say \\"hi\\""\n', ["a", "b"], [("2", 'say "hi"')], [2]),
        ('a,b\n1,"x\ny"\n\n2,z\n', ["a", "b"], [("1", "x\ny"), ("2", "z")], [2, 5]),
        ("a,b,\n1,2,\n", ["a", "b"], [("1", "2")], [2]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"], [("1", "2"), ("3", "4")], [2, 3]),
        ("\n\na,b\n\n1,2\n,\n", ["a", "b"], [("1", "2")], [5]),
        ('id\ttitle\n1\t"Rome\n2\t"x"\n', ["id", "title"], [("1", '"Rome'), ("2", "x")], [2, 3]),
        ("Unnamed: 0,a,b\n0,1,2\n", ["a", "b"], [("1", "2")], [2]),
    ],
)
def test_the_ways_a_table_is_written(
    text: str, names: list[str], rows: list[tuple[str, ...]], lines: list[int]
) -> None:
    table = parse_table(HERE, text.encode())
    assert table.names == names
    assert table.columns.select(names).rows() == rows
    assert [table.where(i) for i in range(len(rows))] == [f"t.csv, line {n}" for n in lines]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_header_again_begins_a_section(mark: str) -> None:
    text = f"{mark}epoch,loss\n0,1\n1,2\n{mark}epoch,loss\n0,3\n"
    table = parse_table(HERE, text.encode())
    assert table.columns["loss"].to_list() == ["1", "2", "3"]
    assert table.sections is not None
    assert table.sections.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3: has 3 fields, not 2"),
        ('a,b\n1,"2\n3,4\n', "line 2: a quote is not closed"),
        ('a,b\n1,"2" x\n3,"4, 5"\n', "line 2: a quote is not closed"),
        ("a,a\n1,2\n", "line 1: the column `a` is there twice"),
        ("a\0,b\n", "line 1: not a text file"),
        ("", "line 1: is empty"),
        (" \n\n", "line 1: is empty"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_table(HERE, text.encode())
    assert str(refused.value).startswith("t.csv, ")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a;b\n1,5;x\n2;y\n", [1.5, 2.0]),
        ("a\tb\n1,5\tx\n,5\ty\n", [1.5, 0.5]),
        ("a;b\n1.5;x\n2;y\n", [1.5, 2.0]),
    ],
)
def test_decimal_commas(text: str, values: list[float]) -> None:
    assert parse_table(HERE, text.encode()).cast("a", pl.Float64).to_list() == values


@pytest.mark.parametrize("text", ["a;b\n1,5;0.5\n", 'a,b\n"1,5",2\n', "a;b\n1,5;x\n2.5;y\n"])
def test_a_comma_beside_points_is_no_decimal_comma(text: str) -> None:
    with pytest.raises(UserError, match=r"line 2, column `a`: '1,5' is not a number"):
        parse_table(HERE, text.encode()).cast("a", pl.Float64)


CELLS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8).map(str.strip)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    separator=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(
    rows: list[tuple[str, ...]], separator: str, quoting: int, end: str
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows([("one", "two", "three"), *rows])
    table = parse_table(HERE, stream.getvalue().encode())
    read = [tuple(cell or "" for cell in row) for row in table.columns.rows()]
    assert read == [row for row in rows if any(row)]
