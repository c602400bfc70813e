"""The figure key: the report of what is on the screen, drawn by the command that it copies."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from postertui.dashboard.dialogs.figure import FigureScreen
from postertui.dashboard.figure_export.request import request_of
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.run_view import view_of
from postertui.dashboard.state.view_model import ViewModel
from postertui.dashboard.state.view_options import ViewOptions
from postertui.history.selection import open_history
from postertui.runs.store import Store
from postertui.system.errors import UserError
from tests.support.dashboard_driver import LARGE, SMALL, dashboard
from tests.support.dashboard_runs import MadeRuns


def model_of(made: MadeRuns, text: str = "", **options: Any) -> tuple[ViewModel, Store]:
    store = Store(made.folder)
    store.refresh()
    model = ViewModel(ViewOptions(**options))
    model.update(RunUpdates(changed={n: view_of(r) for n, r in store.runs.items()}))
    assert model.set_filter(text)
    return model, store


def arguments(model: ViewModel) -> tuple[str, ...]:
    return request_of(model.runs, model.shown, model.options, pinned=model.pinned).arguments


@pytest.mark.parametrize(
    ("text", "without", "names"),
    [
        ("", {}, False),
        ("comedy", {}, False),
        ("genre:horror,drama test_fscore>0.1", {}, False),
        ("variant:l2-* or fc1=256", {"genre": ("Drama",)}, False),
        ("", {"genre": ("Drama",), "variant": ("no-reg",)}, False),
        ("state:running", {}, True),
        ("not state:done", {}, True),
        ("not state:queued variant:base", {}, False),
        ("device:cpu* genre:comedy", {}, False),
    ],
)
def test_the_filter_gives_the_report_exactly_the_shown_runs(
    made: MadeRuns, text: str, without: dict[str, tuple[str, ...]], names: bool
) -> None:
    model, _ = model_of(made, text, without=without)
    words = arguments(model)
    filter_text = "" if words[0].startswith("--") else words[0]
    drawn = set(open_history(made.folder).select(filter_text).table["run"])
    assert drawn == {run.name for run in model.shown.values() if run.epoch}
    assert ("run:" in filter_text) is names


def test_pinned_runs_are_drawn_too(made: MadeRuns) -> None:
    model, _ = model_of(made, "comedy")
    model.pinned = {next(n for n, r in model.runs.items() if r.genre == "Horror" and r.epoch > 5)}
    model.select()
    drawn = set(open_history(made.folder).select(arguments(model)[0]).table["run"])
    assert drawn == {run.name for run in model.shown.values()} and len(drawn) == 4


def test_the_view_becomes_options_of_the_report(made: MadeRuns) -> None:
    model, _ = model_of(made, compare="regularizer", seeds="mean", references=False)
    assert arguments(model) == (
        "--compare", "Regularizer + name", "--genre", "Comedy", "--genre", "Drama",
        "--genre", "Horror", "--metric", "fscore_soft", "--baseline", "none",
        "--name", "l1-1e-5-l2-1e-4-noreg-comedy-drama-horror-f",
    )  # fmt: skip
    model, _ = model_of(made, "drama", metric="loss", theme="colour-blind")
    assert arguments(model) == (
        "drama", "--compare", "name", "--genre", "Drama", "--metric", "loss", "--seed-lines",
        "--palette", "okabe-ito", "--name", "base-l2-1e-4-drama-loss",
    )  # fmt: skip


def name_of(model: ViewModel) -> str:
    words = arguments(model)
    return words[words.index("--name") + 1]


def test_files_are_called_after_what_they_show(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    genres = ("Comedy", "Drama", "Horror", "Sci-Fi")
    for genre in genres:
        for seed in (0, 1):
            for variant in ("base", "no-reg", "l2-1e-4", "bce"):
                made_runs.add(genre, variant, epochs=2, seed=seed, state="done")
    views = {
        "": "4-variants-4-genres-f",
        "genre:sci-fi": "4-variants-sci-fi-f",
        "variant:base,bce genre:comedy,drama": "base-bce-comedy-drama-f",
    }
    for text, name in views.items():
        assert name_of(model_of(made_runs, text)[0]) == name
    assert name_of(model_of(made_runs, "", metric="accuracy")[0]) == "4-variants-4-genres-accuracy"
    # Two views of the same variants and genres are two files.
    one, other = (name_of(model_of(made_runs, f"seed={seed}")[0]) for seed in (0, 1))
    assert one != other
    assert one.rsplit("-", 1)[0] == other.rsplit("-", 1)[0] == "4-variants-4-genres-f"


def test_a_cell_is_asked_for_by_genre_and_variant(made: MadeRuns) -> None:
    model, _ = model_of(made)
    cell = {n: r for n, r in model.shown.items() if (r.genre, r.variant) == ("Drama", "base")}
    words = request_of(model.runs, cell, model.options).arguments
    assert words[0] == "genre:Drama variant:base"


def test_what_a_figure_cannot_show_is_reported(made: MadeRuns) -> None:
    model, _ = model_of(made, train=False, smoothing=0.5, log_y=True, first_epoch=3)
    request = request_of(model.runs, model.shown, model.options)
    assert len(request.lacks) == 4
    for options, says in ((ViewOptions(metric="learning_rate"), "learning rate"),):
        with pytest.raises(UserError, match=says):
            request_of(model.runs, model.shown, options)
    with pytest.raises(UserError, match="nothing to draw"):
        request_of(model.runs, {}, model.options)


def test_the_command_leaves_out_the_usual_folders(made: MadeRuns) -> None:
    model, _ = model_of(made, "genre:comedy fc1=256")
    request = request_of(model.runs, model.shown, model.options)
    usual = shlex.split(request.command(Path("runs"), Path("reports")))
    assert usual[:3] == ["postertui", "report", "genre:comedy fc1=256"]
    assert "--runs" not in usual and "--out" not in usual
    other = shlex.split(request.command(Path("a b"), Path("out")))
    assert other[-4:] == ["--runs", "a b", "--out", "out"]


@pytest.mark.slow
async def test_one_key_draws_says_where_and_copies(
    made: MadeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "reports"
    async with dashboard(made.folder, SMALL, out=out, filter="state:done genre:comedy") as d:
        copied: list[str] = []
        monkeypatch.setattr(d.app, "copy_to_clipboard", copied.append)
        await d.press("i")
        await d.shows("no figure yet: F draws one")
        await d.press("F", "down")  # and keys go on working
        await d.until(lambda: d.app.controllers.figures.newest is not None, "the figure")
        figure = d.app.controllers.figures.newest
        assert figure is not None
        (path,) = figure.paths
        with Image.open(path) as image:
            assert image.size[0] > 300
        await d.shows("Figure drawn")
        await d.press("i")
        assert isinstance(d.app.screen, FigureScreen)
        await d.press("y", "c")
        assert copied == [shlex.quote(str(path)), figure.command]
        await d.press("escape", "tab", "enter", "F")
        await d.until(
            lambda: d.app.controllers.figures.newest is not figure, "the figure of one cell"
        )
        zoomed = d.app.controllers.figures.newest
        assert zoomed is not None
        assert zoomed.paths[0].name == "l2-1e-4-comedy-f.png"
        await d.press("i")
        assert isinstance(d.app.screen, FigureScreen)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        await d.press("enter")
        await d.shows("a preview needs textual-image")
        await d.press("escape")
    before = path.stat().st_mtime_ns
    words = shlex.split(figure.command)[1:]
    again = subprocess.run(
        [sys.executable, "-m", "postertui", *words], check=True, capture_output=True, text=True
    )
    assert "unchanged" in again.stdout
    assert path.stat().st_mtime_ns == before


async def test_a_figure_that_cannot_be_drawn_says_why(made: MadeRuns, tmp_path: Path) -> None:
    async with dashboard(made.folder, LARGE, out=tmp_path, filter="state:queued") as d:
        await d.press("F")
        await d.shows("nothing to draw")
        assert list(tmp_path.glob("*.png")) == []
