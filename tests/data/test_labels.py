"""Labels as public files have them: ids, genres, and what is refused."""

from __future__ import annotations

import json
import unicodedata
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.data.ids import id_of_stem, parse_ids
from postertui.data.posters.labels import LabelOptions, PosterLabels
from postertui.system.errors import UserError

RIGHT = {1000001: ["Action", "Drama"], 1000002: ["Comedy"], 1000010: [], 1000012: ["Comedy"]}
TMDB = json.dumps([{"id": 0, "name": "Action"}, {"id": 1, "name": "Drama"}])
COMEDY = json.dumps([{"id": 2, "name": "Comedy"}])


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def read(
    folder: Path, text: str, posters: list[int] | None = None, **options: object
) -> PosterLabels:
    path = folder / "labels.csv"
    path.write_text(text)
    ids = None if posters is None else np.array(sorted(posters), np.int64)
    return PosterLabels(path, ids, LabelOptions(**options))  # type: ignore[arg-type]


def as_dict(labels: PosterLabels) -> dict[int, list[str]]:
    matrix = labels.matrix(labels.ids)
    return {
        int(i): [g for g, flag in zip(labels.genres, row, strict=True) if flag]
        for i, row in zip(labels.ids, matrix, strict=True)
    }


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("id,genres", ["Action|Drama", "Comedy", "", "Comedy"]),
        ("imdbId,genres", ['"Action, Drama"', "Comedy", "N/A", "Comedy"]),
        ("tt,Genre", ["Action; Drama", "Comedy", "\\N", " comedy"]),
        ("tmdbId,genre", ["Action/Drama", "Comedy", "(no genres listed)", "Comedy "]),
        ("movie_id,Genres", [quoted("['Action', 'Drama']"), "['Comedy']", "[]", "['Comedy']"]),
        ("filename,genres", [quoted("['Action' 'Drama']"), "['Comedy']", "", "['Comedy']"]),
        ("id,genres", [quoted('["Action", "Drama"]'), quoted('["Comedy"]'), "[]", "['Comedy']"]),
        ("id,genres", [quoted(TMDB), quoted(COMEDY), "[]", quoted(COMEDY)]),
        (
            "id,genres",
            [quoted(repr(json.loads(TMDB))), quoted(repr(json.loads(COMEDY))), "[]",
             quoted(repr(json.loads(COMEDY)))],
        ),
        ("id,genres", [quoted("[Action, Drama]"), "[Comedy]", "[]", "[Comedy]"]),
        ("id,genres", [quoted('{"/m/1": "Action", "/m/2": "Drama"}'), quoted('{"/m/3": "Comedy"}'),
                       "{}", quoted('{"/m/3": "Comedy"}')]),
        ("id,title,Action,Comedy,Drama", ["A,1,0,1", "B,0,1,0", "C,0,0,0", "D,0,1,0"]),
        ("id,year,Action,Comedy,Drama",
         ["1,True,False,True", "2,False,True,False", "3,False,False,False", "4,False,True,False"]),
        ("id,adult,genres", ["False,Action|Drama", "False,Comedy", "False,", "True,Comedy"]),
        ("id,Action,Comedy,Drama", ["TRUE,FALSE,TRUE", "FALSE,TRUE,FALSE", "FALSE,FALSE,FALSE",
                                    "FALSE,TRUE,FALSE"]),
        ("id,Genre,Action,Comedy,Drama", [
            quoted("['Action', 'Drama']") + ",1,0,1", "['Comedy'],0,1,0", "[],0,0,0",
            "['Comedy'],0,1,0"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("spelling", ["{}", "tt{}", "{}.0", "0{}", "posters/{}.jpg"])
def test_every_kind_gives_the_same_labels(
    header: str, cells: list[str], spelling: str, tmp_path: Path
) -> None:
    header = header.replace("tt,", "imdb_id,")
    lines = [f"{spelling.format(i)},{cell}" for i, cell in zip(RIGHT, cells, strict=True)]
    if header.startswith("filename") or "/" not in spelling:
        labels = read(tmp_path, "\n".join([header, *lines]))
        assert as_dict(labels) == RIGHT


def test_of_several_columns_of_ids_that_of_the_posters_is_taken(tmp_path: Path) -> None:
    text = "movieId,imdbId,tmdbId,genres\n1,0114709,862,Comedy\n2,0113497,8844,Drama\n"
    assert read(tmp_path, text, [862, 8844]).summary.id_column == "tmdbId"
    assert read(tmp_path, text, [114709, 5]).summary.id_column == "imdbId"
    assert read(tmp_path, text, [1, 2], id_column="movieId").ids.tolist() == [1, 2]
    with pytest.raises(UserError, match="the posters' names could be of the column"):
        read(tmp_path, text, [1, 2, 862, 8844])


def test_unused_labels_are_reported(tmp_path: Path) -> None:
    text = (
        ",id,genres,plot\n0,1,Sci-Fi,a\n1,2,sci-fi | Drama,b\n2,2,Drama|Sci-Fi,b\n3,3,Sci-Fi,c\n"
        "4,3,Drama,c\n5,1997-08-20,Drama,\n"
    )
    summary = read(tmp_path, text).summary
    assert (summary.rows, summary.repeated, summary.ignored) == (6, 1, ("plot",))
    assert summary.notes == ("`sci-fi` counts as `Sci-Fi`",)
    assert dict(summary.counts) == {"Drama": 1, "Sci-Fi": 2}
    where = tmp_path / "labels.csv"
    assert summary.left_out == (
        (f"{where}, line 7", "column `id`: '1997-08-20' is not an id"),
        (f"{where}, line 6", "3 has other genres than in line 5"),
    )
    with pytest.raises(UserError, match="line 7: column `id`"):
        read(tmp_path, text, strict=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,genres\n1,Drama|Comedy\n2,Drama|Action\n3,'Drama, Comedy'\n", "joined by ','"),
        ("id,genres\n1,[Drama\n2,Comedy\n", "the genre `[Drama` looks wrong"),
        (
            "id,genres\n" + "".join(f"{i},made up {i}\n" for i in range(30)),
            "30 genres of 30 posters",
        ),
        ("id,genres\n1," + "x" * 90 + "\n", "looks wrong"),
        ("id,A,B\n" + "1,1,0\n2,0,1\n3,1,1\n4,0,0\n5,0,maybe\n", "line 6, column `B`: 'maybe'"),
        ("id,A\n" + "".join(f"{i},{i % 2}\n" for i in range(19)) + "19,2\n", "line 21, column `A`"),
    ],
)
def test_what_looks_wrong_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        read(tmp_path, text.replace("'Drama, Comedy'", '"Drama, Comedy"'))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_looks_wrong_can_be_taken(tmp_path: Path) -> None:
    text = "id,genres\n" + "".join(f"{i},made/up {i}\n" for i in range(30))
    assert len(read(tmp_path, text, any_genres=True, joined_by="none").genres) == 30


@pytest.mark.parametrize(
    ("stem", "number"),
    [
        ("862", 862), ("tt0114709", 114709), ("TT0114709", 114709), ("862_poster", 862),
        ("poster-862", 862), ("tt0114709_w500", 114709), ("862_500x750", None), ("cover", None),
        ("", None), ("9" * 30, None),
    ],
)  # fmt: skip
def test_ids_in_names_of_files(stem: str, number: int | None) -> None:
    assert id_of_stem(stem) == number
    assert parse_ids(pl.Series([f"a/b/{stem}.jpg"])).to_list() == [number]


NO_GENRES = ("nan", "none", "na", "null", "-", "-nan", "true", "false", "t", "f")
NAMES = st.text(
    st.characters(categories=("Lu", "Ll", "Lo"), include_characters="-&'"),
    min_size=1,
    max_size=9,
).map(partial(unicodedata.normalize, "NFC"))
NAMES = NAMES.filter(lambda name: name.casefold() not in NO_GENRES)


@settings(deadline=None, max_examples=80)
@given(
    sets=st.lists(st.lists(NAMES, max_size=4, unique_by=str.casefold), min_size=1, max_size=8),
    joint=st.sampled_from(["|", ", ", ";", "python", "json"]),
)
def test_what_is_written_is_read(
    sets: list[list[str]], joint: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spelled: dict[str, str] = {}
    sets = [[spelled.setdefault(n.casefold(), n) for n in names] for names in sets]
    write = {"python": repr, "json": json.dumps}.get(joint, joint.join)
    lines = [f"{i},{quoted(write(names))}" for i, names in enumerate(sets)]
    if not any(sets):
        return
    joined_by = None if joint in ("python", "json") else joint.strip()
    text = "\n".join(["id,genres", *lines])
    labels = read(tmp_path_factory.getbasetemp(), text, any_genres=True, joined_by=joined_by)
    assert as_dict(labels) == {
        i: sorted(names, key=labels.genres.index) for i, names in enumerate(sets)
    }


def test_lists_in_parquet_and_json(tmp_path: Path) -> None:
    """As data sets of Hugging Face have them, and what pandas writes."""
    frame = pl.DataFrame({"id": list(RIGHT), "genres": list(RIGHT.values())})
    frame.write_parquet(tmp_path / "a.parquet")
    objects = frame.with_columns(
        pl.col("genres").list.eval(pl.struct(pl.element().alias("name"), id=pl.lit(3)))
    )
    objects.write_parquet(tmp_path / "b.parquet")
    pictures = frame.select(
        "genres", image=pl.struct(bytes=pl.lit(b"\xff"), path=pl.format("{}.jpg", "id"))
    )
    pictures.write_parquet(tmp_path / "c.parquet")
    frame.write_json(tmp_path / "d.json")
    frame.write_ndjson(tmp_path / "e.jsonl")
    by_index = {c: {str(i): v for i, v in enumerate(frame[c].to_list())} for c in frame.columns}
    (tmp_path / "f.json").write_text(json.dumps(by_index))
    for path in sorted(tmp_path.iterdir()):
        assert as_dict(PosterLabels(path)) == RIGHT, path


def test_a_row_for_each_genre(tmp_path: Path) -> None:
    rows = "".join(f"{i},{g}\n" for i, genres in RIGHT.items() for g in genres or [""])
    labels = read(tmp_path, "movie_id,genre\n" + rows)
    assert as_dict(labels) == RIGHT
    assert labels.summary.joined == "rows"
    assert any("1 of 3 ids have several rows" in note for note in labels.summary.notes)
    # A single mistake among many is none.
    many = "".join(f"{i},Drama\n" for i in range(1, 30)) + "3,Comedy\n"
    assert read(tmp_path, "movie_id,genre\n" + many).summary.left_out


def test_addresses_of_pages_are_ids() -> None:
    texts = [
        "http://www.imdb.com/title/tt0499549/?ref_=fn_tt_tt_1",
        "https://m.imdb.com/title/tt0499549",
        "https://www.themoviedb.org/movie/862-toy-story",
        "http://example.org/title/tt0499549/",
    ]
    assert parse_ids(pl.Series(texts)).to_list() == [499549, 499549, 862, None]


def test_a_table_without_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="first line must name the columns"):
        read(tmp_path, "114700,Drama\n114701,Comedy\n")
