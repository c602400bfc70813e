"""A table is written whole, or the error is one line and nothing is left."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from postertui.history.reading import read_table
from postertui.history.writing import write_table
from postertui.system.errors import UserError
from postertui.tabular.parquet_file import write_parquet
from tests.support.table_files import HEADER, ROWS, write


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file may become larger than `size` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", ["tsv", "csv", "parquet"])
def test_table_without_room_is_an_error_for_people(tmp_path: Path, suffix: str) -> None:
    table = read_table(write(tmp_path / "plain.tsv", HEADER, *ROWS))
    path = tmp_path / f"table.{suffix}"
    write_table(table, path)
    before = path.read_bytes()
    with little_room(100), pytest.raises(UserError, match="File too large") as caught:
        write_table(table, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"plain.tsv", path.name}


def test_parquet_without_room_is_an_error_of_the_system(tmp_path: Path) -> None:
    with little_room(100), pytest.raises(OSError, match="File too large"):
        write_parquet(pl.DataFrame({"x": range(1000)}), tmp_path / "details.parquet")
