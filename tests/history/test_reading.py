"""Tables from R, pandas, spreadsheets and people are taken; wrong ones are refused with a place."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postertui.history.identity import fill_identity
from postertui.history.reading import load_table, read_table
from postertui.history.schema import ADDED_SCHEMA, PUBLISHED_SCHEMA, SCHEMA, normalise
from postertui.history.writing import write_table
from postertui.system.errors import UserError
from tests.support.table_files import HEADER, ROWS, write


@pytest.fixture
def plain(tmp_path: Path) -> pl.DataFrame:
    return read_table(write(tmp_path / "plain.tsv", HEADER, *ROWS))


def test_every_column_in_order_and_missing_ones_null(plain: pl.DataFrame) -> None:
    assert plain.columns == list(SCHEMA)
    assert plain["test_fscore"].to_list() == [0.25, None, 0.1]
    assert plain["test_loss"].null_count() == 3
    assert plain["name"].to_list() == ["base", "base", "l1-0"]
    assert plain["Regularizer"].to_list()[2] == "L1=0e"


@pytest.mark.parametrize("missing", ["NA", "NaN", "", "nan", "inf", "-Inf", "N/A", "null"])
def test_every_spelling_of_missing(missing: str, plain: pl.DataFrame, tmp_path: Path) -> None:
    rows = [[missing if cell == "NaN" else cell for cell in row] for row in ROWS]
    assert read_table(write(tmp_path / "t.tsv", HEADER, *rows)).equals(plain)


@pytest.mark.parametrize(
    "transform",
    [
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: b.replace(b"\n", b"\r"),
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b.decode().encode("utf-16"),
        lambda b: b.replace(b"\t", b","),
        lambda b: b.replace(b"\t", b";"),
        lambda b: b.rstrip(b"\n"),
        lambda b: b + b"\n\n",
        lambda b: b.replace(b"Comedy", b'"Comedy"').replace(b"genre", b'"genre"'),
        lambda b: b.replace(b"0.5\t", b" 0.5 \t"),
    ],
    ids=["crlf", "cr", "bom", "utf-16", "csv", "semicolons", "no-end", "blank", "quotes", "spaces"],
)
def test_the_ways_a_table_is_written(
    transform: object, plain: pl.DataFrame, tmp_path: Path
) -> None:
    source = write(tmp_path / "t.tsv", HEADER, *ROWS).read_bytes()
    path = tmp_path / "u.tsv"
    path.write_bytes(transform(source))  # type: ignore[operator]
    assert read_table(path).equals(plain)


def test_columns_in_any_order_and_foreign_ones_passed_over(
    plain: pl.DataFrame, tmp_path: Path
) -> None:
    rows = [("note", *reversed(HEADER)), *((f"n{i}", *reversed(r)) for i, r in enumerate(ROWS))]
    loaded = load_table(write(tmp_path / "t.csv", *rows, separator=","))
    assert loaded.table.equals(plain)
    assert loaded.ignored == ("note",)


@pytest.mark.parametrize(
    "text",
    [
        '"{0}"\t"{1}"\t"{2}"\t"{3}"\t"{4}"\t"{5}"\t"{6}"\t"{7}"\n'
        '"1"\t"L1=1e-5"\t256\t256\t"Comedy"\t"base"\t1\t0.5\t0.25\n'
        '"2"\t"L1=1e-5"\t256\t256\t"Comedy"\t"base"\t2\t0.25\tNA\n'
        '"3"\t"L1=0e"\t256\t256\t"Drama"\t"regularizer L1"\t1\t0.001\t0.1\n',
        '"{0}" "{1}" "{2}" "{3}" "{4}" "{5}" "{6}" "{7}"\n'
        '"1" "L1=1e-5" 256 256 "Comedy" "base" 1 0.5 0.25\n'
        '"2" "L1=1e-5" 256 256 "Comedy" "base" 2 0.25 NA\n'
        '"3" "L1=0e" 256 256 "Drama" "regularizer L1" 1 0.001 0.1\n',
        '"";"{0}";"{1}";"{2}";"{3}";"{4}";"{5}";"{6}";"{7}"\n'
        '"1";"L1=1e-5";256;256;"Comedy";"base";1;0,5;0,25\n'
        '"2";"L1=1e-5";256;256;"Comedy";"base";2;0,25;NA\n'
        '"3";"L1=0e";256;256;"Drama";"regularizer L1";1;0,001;0,1\n',
        ",{0},{1},{2},{3},{4},{5},{6},{7}\n"
        "0,L1=1e-5,256,256,Comedy,base,1,0.5,0.25\n"
        "1,L1=1e-5,256,256,Comedy,base,2,0.25,\n"
        "2,L1=0e,256,256,Drama,regularizer L1,1,0.001,0.1\n",
    ],
    ids=["write.table tabs", "write.table", "write.csv2", "pandas"],
)
def test_what_r_and_pandas_write(text: str, plain: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text.format(*HEADER))
    loaded = load_table(path)
    assert loaded.table.equals(plain)
    assert loaded.ignored == ()
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_table(packed).equals(plain)


def test_metrics_of_other_programs_are_kept(tmp_path: Path) -> None:
    rows = [(*HEADER, "test_auc", "note"), *((*r, f"0.{i}", "x") for i, r in enumerate(ROWS))]
    loaded = load_table(write(tmp_path / "t.csv", *rows, separator=","))
    assert loaded.table.columns == [*SCHEMA, "test_auc"]
    assert loaded.table["test_auc"].to_list() == [0.0, 0.1, 0.2]
    assert loaded.ignored == ("note",)
    write_table(loaded.table, tmp_path / "again.tsv")
    assert read_table(tmp_path / "again.tsv").equals(loaded.table)


def changed(row: int, column: str, value: str) -> list[tuple[str, ...]]:
    rows = [list(r) for r in (HEADER, *ROWS)]
    rows[row][HEADER.index(column)] = value
    return [tuple(r) for r in rows]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(2, "epoch", "two"), "line 3, column `epoch`: 'two' is not a whole number"),
        (changed(1, "epoch", "0"), "line 2, column `epoch`: counts from 1"),
        (changed(1, "epoch", "1.5"), "line 2, column `epoch`: '1.5' is not a whole number"),
        (changed(1, "epoch", "20000000"), "line 2, column `epoch`: 20000000 is more than"),
        (changed(3, "epoch", "NA"), "line 4, column `epoch`: is empty"),
        (changed(3, "genre", ""), "line 4, column `genre`: is empty"),
        (changed(1, "FC1", "-4"), "line 2, column `FC1`: -4 is below 0"),
        (changed(3, "test_fscore", "0,5"), "line 4, column `test_fscore`: '0,5' is not a number"),
        (changed(0, "test_fscore", "train_loss"), "line 1: the column `train_loss` is there twice"),
        (changed(0, "genre", "gender"), "line 1: not a history table: there is no column `genre`"),
        ([HEADER, ROWS[0], ROWS[1][:-1]], "line 3: has 7 fields, not 8"),
        ([HEADER, (*ROWS[0], "more"), ROWS[1]], "line 2: has 9 fields, not 8"),
        ([HEADER[:6], ROWS[0][:6]], "no metric"),
        ([("",)], "line 1: is empty"),
        ([("\0", "a")], "line 1: not a text file"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(
    rows: list[tuple[str, ...]], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.tsv", *rows)
    with pytest.raises(UserError) as refused:
        read_table(path)
    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_wrong_parquet_file_is_refused_with_its_row(tmp_path: Path, plain: pl.DataFrame) -> None:
    path = tmp_path / "t.parquet"
    plain.with_columns(pl.Series("epoch", [1, 2, -1])).write_parquet(path)
    with pytest.raises(UserError, match="row 3, column `epoch`: counts from 1"):
        read_table(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="not a whole Parquet file"):
        read_table(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.tsv")
    with pytest.raises(UserError, match="not a regular file"):
        read_table(tmp_path / "t.tsv")


def of_one_setting(*epochs: int) -> pl.DataFrame:
    """A table of rows that differ in their epoch only."""
    row = {"Regularizer": "L1=1e-5", "FC1": 256, "FC2": 256, "genre": "Comedy", "variant": "base"}
    return fill_identity(normalise(pl.DataFrame([{**row, "epoch": e} for e in epochs])))


@pytest.mark.parametrize(
    ("epochs", "histories"),
    [
        ((1, 2, 3), [0, 0, 0]),
        ((3, 1, 2), [0, 0, 0]),
        ((1, 2, 1, 2, 3), [0, 0, 1, 1, 1]),
        ((1, 2, 3, 1, 2), [0, 0, 0, 1, 1]),
        ((1, 1, 2, 2, 3), [0, 1, 0, 1, 0]),
        ((1, 2, 1, 1, 2), [0, 0, 1, 2, 2]),
    ],
    ids=["one", "shuffled", "longer", "shorter", "interleaved", "three"],
)
def test_two_histories_of_one_setting_are_two_runs(
    epochs: tuple[int, ...], histories: list[int]
) -> None:
    names = ["comedy--base", "comedy--base--2", "comedy--base--3"]
    assert of_one_setting(*epochs)["run"].to_list() == [names[i] for i in histories]


TEXTS = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12
).filter(lambda t: t == t.strip())
FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


def row_of(regularizer: str) -> dict[str, object]:
    row = dict.fromkeys(("test_fscore", "learning_rate", "test_tp", "dead", "seed"))
    settings = {"Regularizer": regularizer, "FC1": 1, "FC2": 1, "genre": "0", "variant": "0"}
    return {**settings, "epoch": 1, **row}


@settings(deadline=None, max_examples=60)
@example(rows=[row_of("0"), row_of("\ufeff")], suffix=".tsv")
@example(rows=[row_of("\ufeffa")], suffix=".csv")
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "Regularizer": TEXTS,
                "FC1": st.integers(1, 9999),
                "FC2": st.integers(1, 9999),
                "genre": TEXTS,
                "variant": TEXTS,
                "epoch": st.integers(1, 1000),
                "test_fscore": FLOATS,
                "learning_rate": FLOATS,
                "test_tp": st.none() | st.integers(0, 2**40),
                "dead": st.none() | st.booleans(),
                "seed": st.none() | st.integers(-5, 5),
            }
        ),
        min_size=1,
        max_size=6,
    ),
    suffix=st.sampled_from([".tsv", ".csv", ".parquet"]),
)
def test_what_is_written_is_read_again(
    rows: list[dict[str, object]], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schema = {k: t for k, t in {**PUBLISHED_SCHEMA, **ADDED_SCHEMA}.items() if k in rows[0]}
    table = fill_identity(normalise(pl.DataFrame(rows, schema=schema)))
    path = tmp_path_factory.getbasetemp() / f"again{suffix}"
    write_table(table, path)
    assert read_table(path).equals(table)


def test_the_later_attempt_of_a_named_run_wins_epoch_by_epoch(tmp_path: Path) -> None:
    rows = [(1, 1, 0.1), (2, 1, 0.2), (3, 1, 0.3), (3, 2, 0.35), (4, 2, 0.4)]
    lines = ["Regularizer,FC1,FC2,genre,variant,epoch,test_fscore,run,attempt"]
    lines += [f"L1=1e-5,256,256,Comedy,base,{e},{f},mine,{a}" for e, a, f in rows]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    table = read_table(tmp_path / "t.csv")
    assert table["run"].unique().to_list() == ["mine"]
    assert table.sort("epoch")["test_fscore"].to_list() == [0.1, 0.2, 0.35, 0.4]
