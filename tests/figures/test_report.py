"""A report in a folder: comparisons of any kind, sidecars, what is up to date, failures."""

from __future__ import annotations

import csv
import math
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from postertui.figures.files import csv_bytes, read_digest, write_file
from postertui.figures.options import METRIC_LABELS, FigureOptions
from postertui.figures.picture import Picture
from postertui.figures.published import published_names
from postertui.figures.render import to_ggplot
from postertui.figures.render_pool import RenderPool
from postertui.figures.source import open_source
from postertui.history.schema import normalise
from postertui.history.selection import History
from postertui.report import (
    FigureFailure,
    ReportRequest,
    ReportResult,
    draw_in_pool,
    prepare_pictures,
)
from postertui.system.errors import UserError
from tests.support.figure_tables import made, seeds
from tests.support.ggplot2_built import build
from tests.support.study_2017 import Study2017, every_study


def names(table: pl.DataFrame, **wanted: Any) -> list[str]:
    return [
        picture.name for picture, _ in prepare_pictures(History(table), ReportRequest(**wanted))[0]
    ]


def columns(table: pl.DataFrame, **wanted: Any) -> list[tuple[Any, ...]]:
    """The headings of the columns of panels, from left to right."""
    ((picture, _),), _ = prepare_pictures(History(table), ReportRequest(**wanted))
    across = picture.facets.columns
    panels = [tuple(panel.values[name] for name in across) for panel in picture.panels]
    return list(dict.fromkeys(panels))


def test_a_comparison_takes_base_and_what_differs_in_that_alone() -> None:
    assert columns(made(), compare=("Regularizer",)) == [
        ("L1=0e",), ("L1=1e-4",), ("L1=1e-5",), ("L1=1e-6",),
        ("L2=1e-2",), ("L2=1e-4",), ("L2=1e-5",), ("L2=1e-6",), ("NoReg",),
    ]  # fmt: skip
    assert columns(made(), compare=("FC1 + FC2",)) == [
        (256, 4), (256, 256), (1024, 64), (4096, 4096),
    ]  # fmt: skip
    assert columns(made(), compare=("batch",)) == [(64,), (256,)]
    assert columns(made(), compare=("loss",)) == [("bce",), ("fscore",)]


def test_variants_narrow_a_comparison_and_base_stays() -> None:
    assert columns(made(), compare=("Regularizer",), variants=("no-reg", "l1-*")) == [
        ("L1=0e",), ("L1=1e-4",), ("L1=1e-5",), ("L1=1e-6",), ("NoReg",),
    ]  # fmt: skip


def test_variants_side_by_side_are_those_named() -> None:
    assert columns(made(), compare=("variant",), variants=("scratch", "bce")) == [
        ("BCE loss",), ("scratch",),
    ]  # fmt: skip


def test_variants_of_one_family_are_told_apart_by_name() -> None:
    every = columns(made(), compare=("variant",), variants=("base", "fc-*"))
    assert every == [("base",), ("fc-1024x64",), ("fc-256x4",), ("fc-4096x4096",)]
    ((picture, _),), _ = prepare_pictures(
        History(made()), ReportRequest(compare=("variant",), genres=("Crime",))
    )
    assert picture.name == "variant"


def test_seeds_side_by_side() -> None:
    assert columns(seeds(3), compare=("seed",)) == [(0,), (1,), (2,)]


def test_genres_and_a_filter_narrow_what_is_drawn() -> None:
    ((picture, _),), _ = prepare_pictures(
        History(made()),
        ReportRequest(filter="not crime", genres=("comedy",), compare=("Regularizer",)),
    )
    assert {panel.values["genre"] for panel in picture.panels} == {"Comedy"}


def test_a_request_that_names_nothing_draws_every_variant() -> None:
    assert names(seeds(2)) == ["variant-base", "variant-l2-1e-2"]


def test_no_two_kinds_of_figure_share_a_file() -> None:
    assert names(made(), compare=("loss", "Regularizer")) == ["compare-loss", "regularizer"]


def test_all_are_the_fifteen_and_what_is_named_beside_them() -> None:
    assert tuple(names(made(), everything=True)) == published_names()
    beside = names(made(), everything=True, figures=("models", "l1"))
    assert tuple(beside) == (*published_names(), "models")


def test_all_of_a_table_that_lacks_some_says_which() -> None:
    pictures, failures = prepare_pictures(History(seeds(1)), ReportRequest(everything=True))
    assert [p.name for p, _ in pictures][:2] == ["base", "fc"]
    assert "scratch" in {failure.name for failure in failures}
    assert all(failure.exit_code == 3 for failure in failures)


@pytest.mark.parametrize(
    ("wanted", "message", "code"),
    [
        ({"compare": ("epochz",)}, "`epochz` is not a column; settings: Regularizer", 2),
        ({"compare": ("epoch",)}, "`epoch` changes from epoch to epoch", 2),
        ({"compare": (" + ",)}, "name a column", 2),
        ({"figures": ("l3",)}, "figure `l3`: there are base", 2),
        ({"dpi": 5}, "--dpi 5: between 10 and 2400", 2),
        ({"formats": ("gif",)}, "format `gif`: there are png, svg, pdf", 2),
        ({"variants": ("l9-*",)}, "--variant l9-*: no run of it; there are base", 3),
        ({"genres": ("Nature",)}, "--genre Nature: no run of it; there are Animation", 3),
        ({"filter": "genre:nature"}, "no run with a finished epoch matches `genre:nature`", 3),
        ({"filter": "fc1>"}, "fc1>", 2),
        ({"compare": ("Regularizer",), "genres": ("History",)}, "", 0),
    ],
)
def test_a_request_that_cannot_be_met_is_named(wanted: Any, message: str, code: int) -> None:
    if not code:
        assert prepare_pictures(History(made()), ReportRequest(**wanted))[0]
        return
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        prepare_pictures(History(made()), ReportRequest(**wanted))
    assert caught.value.exit_code == code


def test_a_figure_of_too_many_pixels_is_refused_before_it_is_drawn() -> None:
    with pytest.raises(UserError, match="more than 30000 pixels a side"):
        prepare_pictures(
            History(made()),
            ReportRequest(figures=("base",), dpi=2400, options=FigureOptions(width=20)),
        )


def draw(table: pl.DataFrame, request: ReportRequest, out: Path) -> ReportResult:
    """Draw `request` of `table` in this process."""
    with RenderPool(0) as pool:
        return draw_in_pool(
            pool, lambda: History(open_source(table).table), request, out, origin="runs.tsv"
        )


def report(out: Path, table: pl.DataFrame | None = None, **wanted: Any) -> Any:
    table = seeds(2) if table is None else table
    return draw(table, ReportRequest(**({"figures": ("l2",)} | wanted)), out)


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_in_every_format(tmp_path: Path) -> None:
    kinds = ("png", "svg", "pdf")
    for folder in ("a", "b"):
        report(tmp_path / folder, formats=kinds)
    for kind in (*kinds, "csv"):
        one, two = ((tmp_path / folder / f"l2.{kind}").read_bytes() for folder in ("a", "b"))
        assert one == two
    assert (tmp_path / "a/l2.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a/l2.svg").read_bytes()
    assert (tmp_path / "a/l2.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ({"compare": ("name",)}, "Comparing F-Score per variant"),
        ({"compare": ("variant",)}, "Comparing F-Score per variant"),
        (
            {"compare": ("Regularizer",), "options": FigureOptions(metric="loss")},
            "Comparing loss per Regularizer",
        ),
    ],
)
def test_a_comparison_is_titled_in_the_words_of_the_field(
    wanted: dict[str, Any], title: str
) -> None:
    pictures, _ = prepare_pictures(History(made()), ReportRequest(**wanted))
    assert {picture.title for picture, _ in pictures} == {title}


def test_a_png_says_what_it_shows_how_and_of_what(tmp_path: Path) -> None:
    (drawn,) = report(tmp_path, dpi=50).drawn
    with Image.open(drawn.path) as image:
        text = dict(image.text)  # type: ignore[attr-defined]
        size, dpi = image.size, image.info["dpi"]
    assert text["Title"] == drawn.title == "Comparing F-Score per Regularizer"
    assert text["Command"] == "postertui report --figure l2 --from runs.tsv --dpi 50"
    assert text["Versions"].startswith("postertui ")
    assert "plotnine " in text["Versions"]
    assert re.fullmatch("sha256 [0-9a-f]{64}", text["Data"])
    assert [round(d) for d in dpi] == [50, 50]
    ((picture, _),), _ = prepare_pictures(History(seeds(2)), ReportRequest(figures=("l2",)))
    assert size == tuple(int(side * 50) for side in picture.size)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a figure that was drawn at 50 dpi."""
    folder = tmp_path_factory.mktemp("before")
    report(folder, dpi=50)
    return folder


def test_an_unchanged_figure_is_not_drawn_again(tmp_path: Path) -> None:
    (first,) = report(tmp_path).drawn
    stamp = first.path.stat().st_mtime_ns
    (again,) = report(tmp_path).drawn
    assert (first.unchanged, again.unchanged) == (False, True)
    assert again.path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "wanted",
    [
        {"table": seeds(2).with_columns(pl.col("test_fscore") + 1e-6)},
        {"dpi": 60},
        {"options": FigureOptions(palette="okabe-ito")},
        {"options": FigureOptions(height=3.0)},
    ],
)
def test_changed_data_or_options_are_drawn(tmp_path: Path, before: Path, wanted: Any) -> None:
    shutil.copytree(before, tmp_path, dirs_exist_ok=True)
    (again,) = report(tmp_path, **({"dpi": 50} | wanted)).drawn
    assert not again.unchanged


def test_a_damaged_figure_or_sidecar_is_made_again(tmp_path: Path) -> None:
    (drawn,) = report(tmp_path).drawn
    whole, numbers = drawn.path.read_bytes(), drawn.csv.read_bytes()
    drawn.path.write_bytes(whole[:-200])
    drawn.csv.write_text("edited")
    assert not report(tmp_path).drawn[0].unchanged
    assert (drawn.path.read_bytes(), drawn.csv.read_bytes()) == (whole, numbers)
    drawn.csv.unlink()
    assert report(tmp_path).drawn[0].unchanged
    assert drawn.csv.read_bytes() == numbers


def test_the_digest_is_of_whole_images_only() -> None:
    assert read_digest(b"") is None
    assert read_digest(b"<svg>Digest: " + b"0" * 64) is None
    assert read_digest(b"<svg>Digest: " + b"0" * 64 + b"</svg>\n") == "0" * 64
    assert read_digest(b"\x89PNG\r\n\x1a\n\0\0") is None


def drawn_marks(picture: Picture) -> list[tuple[int, int, float]]:
    """Layer, panel and height of each mark that plotnine's built plot shows.

    Of a line's vertices, those that have a neighbour on it.
    """
    marks = []
    for number, layer in enumerate(build(to_ggplot(picture)).layers, 1):
        data = layer.data.assign(layer=number)
        data["y"] = data["yintercept"] if "yintercept" in data else data["y"]
        data = data[data["y"].notna()]
        if type(layer.geom).__name__ == "geom_line":
            lines = layer.data.groupby(["PANEL", "group"], observed=True)["y"]
            before, after = lines.shift(1), lines.shift(-1)
            data = data[(before.notna() | after.notna()).loc[data.index]]
        marks += [(number, int(p), round(float(y), 9)) for p, y in data[["PANEL", "y"]].to_numpy()]
    return marks


@pytest.mark.parametrize("name", ["base", "scratch", "test-fc", "fc-points"])
@pytest.mark.parametrize("strict", [False, True])
def test_the_sidecar_holds_exactly_the_marks_that_are_drawn(
    name: str, strict: bool, tmp_path: Path
) -> None:
    request = ReportRequest(figures=(name,), options=FigureOptions(strict=strict))
    ((picture, _),), _ = prepare_pictures(History(made()), request)
    (tmp_path / "marks.csv").write_bytes(csv_bytes(picture))
    with (tmp_path / "marks.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    marks = [
        (int(row["layer"]), int(row["panel"]), round(float(row["value"]), 9))
        for row in rows
        if row["mark"] != "not drawn"
    ]
    assert sorted(marks) == sorted(drawn_marks(picture))
    lost = {(r["series"], r["label"]): float(r["value"]) for r in rows if r["mark"] == "not drawn"}
    assert lost == {(h.split, h.cause): h.count for h in picture.hidden}


def test_a_figure_that_fails_is_said_and_the_others_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postertui.figures import save

    render = save.render_bytes

    def fail_once(picture: Any, *rest: Any) -> Any:
        if picture.name == "base":
            raise RuntimeError("no paper")
        return render(picture, *rest)

    monkeypatch.setattr(save, "render_bytes", fail_once)
    result = draw(seeds(2), ReportRequest(figures=("base", "l2")), tmp_path)
    assert [drawn.name for drawn in result.drawn] == ["l2"]
    assert result.failures == (FigureFailure("base", "RuntimeError: no paper", 1),)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l2.csv", "l2.png"]


def test_a_figure_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "base.png").mkdir()
    result = report(tmp_path, figures=("base", "l2"), dpi=40)
    assert [drawn.name for drawn in result.drawn] == ["l2"]
    (failure,) = result.failures
    assert (failure.reason, failure.exit_code) == (f"{tmp_path}/base.png: Is a directory", 1)


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "figure.png"
    write_file(path, b"old")

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]
    assert path.read_bytes() == b"old"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/reports: Not a directory"):
        report(tmp_path / "file/reports")


def test_a_table_without_variants_of_2017_is_told_what_draws_it() -> None:
    own = made().with_columns(
        *(pl.lit("own").alias(c) for c in ("name", "variant", "Regularizer")),
        pl.lit(0).alias("FC1"),
    )
    for request in (ReportRequest(everything=True), ReportRequest(compare=("Regularizer",))):
        with pytest.raises(UserError, match="--compare variant") as caught:
            prepare_pictures(History(own), request)
        assert caught.value.exit_code == 3
        assert len(str(caught.value)) < 250
    drawn, _ = prepare_pictures(History(own), ReportRequest(compare=("variant",)))
    assert drawn


def test_an_empty_table_has_nothing_to_draw() -> None:
    with pytest.raises(UserError, match="no finished epoch") as caught:
        prepare_pictures(History(made().clear()), ReportRequest(everything=True))
    assert caught.value.exit_code == 3


@every_study
def test_the_l1_figure_is_also_a_comparison(study_2017: Study2017) -> None:
    history = History(study_2017.table())
    request = ReportRequest(
        compare=("Regularizer",), variants=("no-reg", "l1-*"), options=FigureOptions(strict=True)
    )
    ((comparison, _),), _ = prepare_pictures(history, request)
    ((figure, _),), _ = prepare_pictures(
        history, ReportRequest(figures=("l1",), options=FigureOptions(strict=True))
    )
    assert comparison.marks().equals(figure.marks())
    assert comparison.panels == figure.panels


@st.composite
def any_table(draw: st.DrawFn) -> pl.DataFrame:
    """A few histories of whatever settings, with gaps, repeats and infinities."""
    value = st.none() | st.floats(-1, 2) | st.sampled_from([math.nan, math.inf, 0.0])
    row = st.fixed_dictionaries(
        {
            "Regularizer": st.sampled_from(["L1=1e-5", "L1=0e", "L2=1e-2", "NoReg", "L9"]),
            "FC1": st.sampled_from([4, 256]),
            "FC2": st.just(256),
            "genre": st.sampled_from(["Comedy", "History", "Nature", "Ä|b/c"]),
            "variant": st.sampled_from(["base", "regularizer L2", "scratch", "mine"]),
            "epoch": st.integers(1, 12),
            "seed": st.integers(0, 2),
            "train_fscore": value,
            "test_fscore": value,
        }
    )
    rows = draw(st.lists(row, min_size=1, max_size=12))
    return normalise(pl.DataFrame(rows, schema_overrides={"train_fscore": pl.Float64,
                                                          "test_fscore": pl.Float64}))  # fmt: skip


def undefined_in_base() -> pl.DataFrame:
    """A genre whose F is defined in another variant alone."""
    setting = {"Regularizer": "L1=1e-5", "FC2": 256, "genre": "Comedy", "epoch": 1, "seed": 0}
    rows = [
        {**setting, "FC1": 4, "variant": "base", "test_fscore": None},
        {**setting, "FC1": 256, "variant": "scratch", "test_fscore": 0.5},
    ]
    undefined = pl.lit(None, dtype=pl.Float64)
    return normalise(pl.DataFrame(rows).with_columns(train_fscore=undefined))


@settings(max_examples=40, deadline=None)
@example(table=undefined_in_base(), wanted={"everything": True})
@given(table=any_table(), wanted=st.sampled_from([
    {"everything": True}, {"everything": True, "options": FigureOptions(strict=True)},
    {"compare": ("Regularizer",)}, {"compare": ("variant", "seed", "FC1 + FC2", "batch")},
    {"figures": ("models",)}, {"options": FigureOptions(seed_lines=True)},
]))  # fmt: skip
def test_whatever_the_table_it_is_prepared_or_refused_in_words(
    table: pl.DataFrame, wanted: Any
) -> None:
    try:
        pictures, _ = prepare_pictures(History(table), ReportRequest(**wanted))
    except UserError as error:
        assert "\n" not in str(error)
        return
    for picture, _ in pictures:
        assert csv_bytes(picture)
        assert min(picture.size) >= 1


AWKWARD: dict[str, dict[str, float | None]] = {
    "all undefined": {"train_fscore": None, "test_fscore": None},
    "one value": {"test_fscore": None},
    "all zero": {"train_fscore": 0.0, "test_fscore": 0.0},
    "infinite": {"train_fscore": math.inf, "test_fscore": -math.inf},
}


@pytest.mark.parametrize("strict", [False, True])
def test_names_of_any_letters_are_drawn_and_found_again(strict: bool, tmp_path: Path) -> None:
    genre, name = "Ä $a_$ → \\foo{", "größe $x$ <b>&"
    table = seeds(1, ("Comedy",)).with_columns(
        genre=pl.lit(genre),
        name=pl.when(pl.col("variant") == "base").then("name").otherwise(pl.lit(name)),
    )
    wanted: dict[str, Any] = {
        "options": FigureOptions(strict=strict),
        "formats": ("png", "svg", "pdf"),
    }
    parts = ({"compare": ("name",)}, {"variants": (name,)}, {"figures": ("models",)})
    for part in parts[:1] if strict else parts:
        result = report(tmp_path, table, dpi=40, **({"figures": ()} | part | wanted))
        assert [failure.reason for failure in result.failures] == []
        (again,) = report(tmp_path, table, dpi=40, **({"figures": ()} | part | wanted)).drawn
        assert again.unchanged


@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.parametrize("name", ["l2", "base"])
def test_awkward_tables_are_drawn(case: str, name: str, tmp_path: Path) -> None:
    changed = [pl.lit(v, dtype=pl.Float64).alias(k) for k, v in AWKWARD[case].items()]
    table = seeds(2, ("Comedy",)).filter(pl.col("epoch") == 1).with_columns(changed)
    result = draw(table, ReportRequest(figures=(name,), dpi=40), tmp_path)
    assert [failure.reason for failure in result.failures] == []
    assert result.drawn[0].path.stat().st_size > 1000


def test_every_metric_can_be_drawn() -> None:
    table = seeds(1).with_columns(
        pl.lit(0.5).alias(f"{split}_{metric}")
        for split in ("train", "test")
        for metric in METRIC_LABELS
    )
    for metric in METRIC_LABELS:
        (pair,), _ = prepare_pictures(
            History(table),
            ReportRequest(compare=("Regularizer",), options=FigureOptions(metric=metric)),
        )
        assert pair[0].y.label == METRIC_LABELS[metric]
