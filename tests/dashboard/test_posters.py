"""A run's screen lists the posters that it gets wrong, and shows their pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from postertui.dashboard.screens.run import RunScreen
from postertui.predictions.loading import load_run
from postertui.predictions.notable import notable_posters
from postertui.predictions.table import predictions_path
from postertui.report.poster_pixels import write_contact_sheet
from postertui.system.errors import UserError
from tests.support.dashboard_driver import Driver, dashboard
from tests.support.predictions import write_predicted_runs


async def open_only_run(d: Driver) -> None:
    await d.press("home")
    await d.until(lambda: d.app.main.table.current is not None, "the run in the table")
    await d.press("enter")
    await d.until(lambda: isinstance(d.app.screen, RunScreen), "the run's screen")


async def test_the_third_pane_lists_them(tmp_path: Path) -> None:
    [name] = write_predicted_runs(tmp_path, seeds=1, genres=("Comedy",), variants={"base": 0.1})
    first = notable_posters(load_run(tmp_path, name))[0]
    async with dashboard(tmp_path, (120, 40)) as d:
        await open_only_run(d)
        await d.press("tab")
        await d.shows("learning_rate")
        await d.press("tab")
        await d.shows("Surest false positives")
        await d.shows(f"{first.poster}  {first.probability:.3f}  no")
        await d.press("v")  # the data folder is not there, which is said in a line
        await d.shows("no such data folder")
        await d.press("tab")
        await d.shows("the job printed nothing")


async def test_a_run_without_predictions_says_so(tmp_path: Path) -> None:
    [name] = write_predicted_runs(tmp_path, seeds=1, genres=("Comedy",), variants={"base": 0.1})
    predictions_path(tmp_path / name).unlink()
    async with dashboard(tmp_path, (120, 40)) as d:
        await open_only_run(d)
        await d.press("tab")
        await d.press("tab")
        await d.shows("no predictions were kept of this run")


def test_a_contact_sheet_has_a_row_for_each_kind(tmp_path: Path) -> None:
    import numpy as np

    from postertui.predictions.table import Predictions, write_predictions
    from tests.support.trained_models import build_data, write_many_sizes, write_model

    data = build_data(tmp_path / "data", write_many_sizes(tmp_path / "posters", 40))
    spec = write_model(tmp_path / "runs", data, "Comedy")
    labels = data.genre_labels("Comedy", (2,))
    p = np.random.default_rng(1).random(len(labels)).astype(np.float32)
    cohorts = np.full(len(labels), 2, np.uint8)
    predictions = Predictions(data.ids(2), cohorts, labels, p)
    write_predictions(tmp_path / "runs" / spec.run, predictions)
    run = load_run(tmp_path / "runs", spec.run)
    target = tmp_path / "sheet.png"
    write_contact_sheet(tmp_path / "runs", run, target)
    with Image.open(target) as image:
        sheet = np.asarray(image)
    assert sheet.shape == (330, 1152, 3)
    first = notable_posters(run)[0]
    row = data.ids(2).tolist().index(first.poster)
    expected = np.asarray(Image.fromarray(np.asarray(data.images(2)[row])).resize((96, 96)))
    assert np.array_equal(sheet[:96, :96], expected)
    data.path.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="no such data folder"):
        write_contact_sheet(tmp_path / "runs", run, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
