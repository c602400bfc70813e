"""Details beside the posters: how a table is read, kept with the data, and made numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postertui.data.chosen_posters import ChosenPosters
from postertui.data.dataset import Dataset
from postertui.data.details.encoding import DetailsEncoder, fit_encoder
from postertui.data.details.info import ColumnKind
from postertui.data.details.selection import chosen_columns, fit_variant_encoder
from postertui.data.details.table import ID, Details
from postertui.data.posters import build_dataset
from postertui.study import check_variant
from postertui.system.errors import UserError
from tests.support.poster_files import write_posters

IDS = range(100, 160)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_posters(folder / "posters", IDS)
    genres = ["Drama" if i % 3 else "Comedy|War" for i in IDS]
    lines = [f"{i},{g}" for i, g in zip(IDS, genres, strict=True)]
    (folder / "labels.csv").write_text("id,genres\n" + "\n".join(lines))
    details = [
        f"{i},The {i}th of {i * i},{1900 + i},{'USA' if i % 4 else ''},b{i % 5}|a,{g}"
        for i, g in zip(IDS, genres, strict=True)
        if i % 2
    ]
    (folder / "details.csv").write_text(
        "imdb_id,title,year,country,keywords,genres\n" + "\n".join([*details, "7,x,1,,,"])
    )
    return folder


def build(inputs: Path, target: Path, details: str = "details.csv") -> Dataset:
    build_dataset(
        inputs / "posters", inputs / "labels.csv", target, sides=(8,), details=inputs / details
    )
    return Dataset.open(target)


def test_a_build_keeps_details_of_its_posters_with_their_kinds(
    tmp_path: Path, inputs: Path
) -> None:
    dataset = build(inputs, tmp_path / "data")
    info = dataset.details_info
    assert info is not None
    assert info.columns == {
        "title": "text",
        "year": "number",
        "country": "category",
        "keywords": "list",
        "genres": "list",
    }
    assert info.posters == 30
    assert info.gives_away == {"genres": "Drama"}
    rows = dataset.details().rows(np.array([101, 100]))
    assert rows["year"].to_list() == [2001, None]
    assert rows["keywords"].to_list() == [["b1", "a"], None]
    again = build(inputs, tmp_path / "again").details_info
    assert again is not None
    assert again.digest == info.digest
    chosen = ChosenPosters(dataset, with_details=True)
    assert chosen.ids([1, 2]).tolist() == [101, 111, 121, 131, 141, 151]
    assert len(chosen.genre_labels("Drama", [1, 2])) == 6


def test_a_build_without_details_leaves_none_of_an_earlier_one(
    tmp_path: Path, inputs: Path
) -> None:
    data = build(inputs, tmp_path / "data").path
    (data / "own.txt").write_text("the user's")
    build_dataset(inputs / "posters", inputs / "labels.csv", data, sides=(8,))
    assert Dataset.open(data).details_info is None
    assert not (data / "details.parquet").exists()
    assert (data / "own.txt").exists()


def test_damaged_details_are_one_line(tmp_path: Path, inputs: Path) -> None:
    dataset = build(inputs, tmp_path / "data")
    file = tmp_path / "data" / "details.parquet"
    changed = pl.read_parquet(file).with_columns(pl.col("year") + 1)
    changed.write_parquet(file)
    with pytest.raises(UserError, match=r"details.parquet: not what was built"):
        dataset.details()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"details.parquet: damaged"):
        dataset.details()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,year\n7,2000\n8,2001\n", r"none of its 2 ids .* is a labelled poster's"),
        ("id\n101\n102\n", r"has ids \(id\) and no details"),
        ("year,country\n2000,UK\n", r"no column of ids"),
    ],
)
def test_details_that_cannot_be_used_leave_no_folder(
    table: str, message: str, tmp_path: Path, inputs: Path
) -> None:
    (inputs / "bad.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        build(inputs, tmp_path / "data", "bad.csv")
    assert not (tmp_path / "data").exists()


def make_details(columns: dict[str, list[object]], kinds: dict[str, ColumnKind]) -> Details:
    count = len(next(iter(columns.values())))
    return Details(pl.DataFrame({ID: range(count), **columns}), kinds)


def test_numbers_are_standardised_on_the_training_posters_alone() -> None:
    years: list[object] = [1.0, 3.0, None, 1000.0]
    details = make_details({"year": years}, {"year": "number"})
    encoder, _ = fit_encoder(details, ("year",), np.arange(3))
    encoded = encoder.encode(details, np.array([0, 1, 2, 3, 99]))
    assert encoded[:, 0].tolist() == [-1, 1, 0, 998, 0]
    assert encoded[:, 1].tolist() == [0, 0, 1, 0, 1]


def test_a_skewed_number_is_taken_as_a_logarithm() -> None:
    gross: list[object] = [float(10**k) for k in range(8)]
    details = make_details({"gross": gross}, {"gross": "number"})
    encoder, _ = fit_encoder(details, ("gross",), np.arange(8))
    assert encoder.columns[0].log
    steps = np.diff(encoder.encode(details, np.arange(8))[:, 0])
    assert steps[2:] == pytest.approx(steps[-1], rel=0.02)


def test_categories_are_those_frequent_in_training_and_others_are_none_of_them() -> None:
    countries: list[object] = [
        *["USA"] * 25, *["UK"] * 20, *["Chad"] * 19, None, *["Peru"] * 30
    ]  # fmt: skip
    details = make_details({"country": countries}, {"country": "category"})
    encoder, _ = fit_encoder(details, ("country",), np.arange(65))
    assert encoder.columns[0].values == ("USA", "UK")
    encoded = encoder.encode(details, np.array([0, 25, 45, 64, 65]))
    assert encoded.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_items_of_lists_and_words_of_texts_are_the_commonest() -> None:
    lists: list[object] = [["a", "a"], ["a", "b"], ["b", "c"], None]
    texts: list[object] = ["The dog", "A Dog!", "the end", None]
    details = make_details({"keys": lists, "title": texts}, {"keys": "list", "title": "text"})
    encoder, _ = fit_encoder(details, ("keys", "title"), np.arange(4))
    assert [column.values for column in encoder.columns] == [("a", "b"), ("dog", "the")]
    encoded = encoder.encode(details, np.arange(4))
    assert encoded.tolist() == [
        [1, 0, 0, 1, 1, 0],
        [1, 1, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 1],
    ]
    assert encoder.slices == {"keys": slice(0, 3), "title": slice(3, 6)}


def fit(fields: dict[str, object], dataset: Dataset) -> DetailsEncoder:
    variant = check_variant("mine", {"inputs": "details", **fields})
    assert dataset.details_info is not None
    posters = ChosenPosters(dataset).ids(dataset.cohorts)
    return fit_variant_encoder(variant, dataset.details(), dataset.details_info, posters)


def test_a_column_that_gives_the_label_away_is_taken_only_if_it_is_named(
    tmp_path: Path, inputs: Path
) -> None:
    dataset = build(inputs, tmp_path / "data")
    message = (
        r'mine: .* column genres gives the label away \(Drama\); name .*"title".*"year", "country"'
    )
    with pytest.raises(UserError, match=message):
        fit({}, dataset)
    assert list(fit({"details": ["genres"]}, dataset).kinds) == ["genres"]


def test_unknown_and_constant_columns_are_named(tmp_path: Path, inputs: Path) -> None:
    dataset = build(inputs, tmp_path / "data")
    with pytest.raises(UserError, match=r"no column yaer; close: year"):
        fit({"details": ["yaer"]}, dataset)
    (inputs / "constant.csv").write_text(
        "id,year,colour\n" + "\n".join(f"{i},{i},red" for i in IDS)
    )
    dataset = build(inputs, tmp_path / "data", "constant.csv")
    with pytest.raises(UserError, match=r"column colour does not distinguish training posters"):
        fit({"details": ["year", "colour"]}, dataset)
    assert list(fit({}, dataset).kinds) == ["year"]
    assert dataset.details_info is not None
    assert chosen_columns(check_variant("all", {"inputs": "both"}), dataset.details_info) == (
        "year",
        "colour",
    )
