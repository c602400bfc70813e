"""Large tables are read in portions, and mean the same as whole ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.history.reading import load_table
from postertui.system.errors import UserError
from postertui.tabular import portions, read_portions

HEADER = (
    "Regularizer\tFC1\tFC2\tgenre\tvariant\tepoch\ttest_loss\ttest_fscore\tseed\tsometimes\tnote"
)


def rows(runs: int, epochs: int = 5) -> list[str]:
    return [
        f"L1=1e-5\t256\t256\tComédie {run % 3}\tbase\t{epoch}\t{1 / epoch}\t"
        f"{'NaN' if run % 4 == 0 else run / runs}\t{run}\t{'NA' if run < runs - 1 else 7}\tfine"
        for run in range(runs)
        for epoch in range(1, epochs + 1)
    ]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "PORTION_BYTES", 500)


def test_portions_are_the_whole_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "t.tsv", rows(40))
    assert len(list(read_portions(path))) > 5
    in_portions = load_table(path)
    monkeypatch.setattr(portions, "PORTION_BYTES", 1 << 20)
    assert len(list(read_portions(path))) == 1
    whole = load_table(path)
    assert in_portions.table.equals(whole.table)
    assert in_portions.ignored == whole.ignored == ("note",)
    assert in_portions.table["sometimes"].drop_nulls().to_list() == [7.0] * 5


def test_error_in_a_later_portion_names_its_line(tmp_path: Path) -> None:
    lines = rows(40)
    lines[150] = lines[150].replace("\t256\t256\t", "\t256\tmany\t")
    with pytest.raises(UserError, match=r"t\.tsv, line 152, column `FC2`: 'many' is not"):
        load_table(write(tmp_path / "t.tsv", lines))


@pytest.mark.parametrize(
    "special", ['"L1=1e-5"\t256\t256\tA\tbase\t1\t1\t1\t0\t1\tx', HEADER, "", "\t" * 10]
)
def test_lines_that_depend_on_others_are_read_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, special: str
) -> None:
    lines = rows(40)
    lines.insert(170, special)
    path = write(tmp_path / "t.tsv", lines)
    in_portions = load_table(path).table
    monkeypatch.setattr(portions, "PORTION_BYTES", 1 << 20)
    assert in_portions.equals(load_table(path).table)


def test_decimal_commas_are_decided_over_the_whole_table(tmp_path: Path) -> None:
    lines = rows(40)
    lines[100:] = [line.replace(".", ",") for line in lines[100:]]
    with pytest.raises(UserError, match=r"t\.tsv, line 102, column `test_loss`: '1,0'"):
        load_table(write(tmp_path / "t.tsv", lines))
