"""What commands that read a history ask of the libraries they are about to import."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postertui.cli import reading
from postertui.cli.reading import few_threads

LIMITS = ("OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")


def limits(place: Path) -> tuple[str | None, ...]:
    """The limits in force while the history at `place` is read."""
    with few_threads(place):
        return tuple(os.environ.get(name) for name in LIMITS)


@pytest.fixture(autouse=True)
def no_limits_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)


def folder_with_cache(folder: Path, size: int) -> Path:
    (folder / ".cache").mkdir()
    for name in ("index", "epochs"):
        (folder / ".cache" / name).write_bytes(b" " * (size // 2))
    return folder


def test_one_thread_reads_a_small_table(tmp_path: Path) -> None:
    table = tmp_path / "table.tsv"
    table.write_text("epoch")
    assert limits(table) == ("1", "1")
    assert LIMITS[1] not in os.environ


def test_one_thread_reads_a_small_folder(tmp_path: Path) -> None:
    assert limits(folder_with_cache(tmp_path, 1000)) == ("1", "1")


def test_a_large_folder_or_one_of_unknown_size_gets_all_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limits(tmp_path) == ("1", None)
    monkeypatch.setattr(reading, "SMALL_TABLE", 1000)
    assert limits(folder_with_cache(tmp_path, 1000)) == ("1", None)


def test_the_users_own_limits_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", "3")
    assert limits(folder_with_cache(tmp_path, 1000)) == ("1", "3")
