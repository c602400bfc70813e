"""Which posters are listed, and how they reach the command line and the page."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from PIL import Image

from postertui.data.dataset import Dataset
from postertui.predictions.loading import RunPredictions, load_run
from postertui.predictions.notable import NotablePoster, notable_posters
from postertui.predictions.table import Predictions, read_predictions, write_predictions
from postertui.report.page.posters import BUDGET
from postertui.runs.spec import read_spec, write_spec
from tests.support.commands import output_of
from tests.support.predictions import write_predicted_runs
from tests.support.trained_models import build_data, write_many_sizes, write_model


def predictions(p: list[float], labels: list[int], ids: list[int] | None = None) -> RunPredictions:
    n = len(p)
    test = Predictions(
        np.array(ids or range(n), np.int64),
        np.full(n, 2, np.uint8),
        np.array(labels, np.uint8),
        np.array(p, np.float32),
    )
    return RunPredictions("run", "base", "Drama", 0, None, test)


def of_kind(posters: list[NotablePoster], kind: str) -> list[int]:
    return [poster.poster for poster in posters if poster.kind == kind]


def test_the_surest_mistakes_come_first() -> None:
    run = predictions([0.9, 0.6, 0.7, 0.1, 0.35, 0.2, 0.51], [0, 0, 1, 1, 1, 0, 0])
    posters = notable_posters(run)
    assert of_kind(posters, "false positive") == [0, 1, 6]
    assert of_kind(posters, "false negative") == [3, 4]
    assert of_kind(posters, "least sure")[:3] == [6, 1, 4]
    assert of_kind(notable_posters(run, 1), "false positive") == [0]


def test_the_chosen_threshold_decides() -> None:
    run = predictions([0.9, 0.3, 0.25], [0, 0, 1])
    validation = replace(run.test, labels=np.array([1, 1, 0], np.uint8))
    chosen = replace(run, validation=validation)
    assert chosen.threshold == pytest.approx(0.275)
    assert of_kind(notable_posters(chosen), "false positive") == [0, 1]
    assert of_kind(notable_posters(chosen), "false negative") == [2]


def test_a_mirrored_poster_is_listed_once() -> None:
    run = predictions([0.9, 0.8, 0.95, 0.7], [0, 0, 0, 0], ids=[1, 2, 1, 2])
    assert of_kind(notable_posters(run), "false positive") == [1, 2]


def test_a_dead_model_has_none() -> None:
    assert notable_posters(predictions([float("nan")], [1])) == []


def test_the_command_lists_them(tmp_path: Path) -> None:
    [name] = write_predicted_runs(tmp_path, seeds=1, genres=("Drama",), variants={"base": 0.1})
    document = json.loads(output_of("posters", "--run", name, "--runs", tmp_path, "--json"))
    rows = document["posters"]
    assert len(rows) == 36
    run = load_run(tmp_path, name)
    by_id = dict(zip(run.test.ids.tolist(), run.test.probabilities.tolist(), strict=True))
    for row in rows:
        assert row["probability"] == pytest.approx(by_id[row["id"]])
        decided = row["probability"] > run.threshold
        if row["kind"] != "least sure":
            assert decided == (row["kind"] == "false positive")
            assert row["label"] != decided
    csv = pl.read_csv(
        io.StringIO(output_of("posters", "--run", name, "--runs", tmp_path, "--format", "csv"))
    )
    assert csv.height == 36


def test_rotations_are_listed_together(tmp_path: Path) -> None:
    [name] = write_predicted_runs(tmp_path, seeds=1, genres=("Drama",), variants={"base": 0.1})
    spec = msgspec.structs.replace(read_spec(tmp_path / name), test_cohorts=(1,), val_cohorts=(2,))
    assert write_spec(tmp_path, spec)
    assert spec.run != name
    write_predictions(tmp_path / spec.run, read_predictions(tmp_path / name))
    words = ("posters", "--run", name, "--run", spec.run, "--runs", tmp_path, "--json", "--unseen")
    rows = json.loads(output_of(*words))["posters"]
    assert {row["cohort"] for row in rows} == {1, 2}
    assert len(rows) == 36


@pytest.fixture
def pictured(tmp_path: Path) -> tuple[Path, Dataset]:
    """Runs of two genres with predictions of the posters of a real data folder."""
    posters = write_many_sizes(tmp_path / "posters", 40)
    data = build_data(tmp_path / "data", posters)
    runs = tmp_path / "runs"
    for genre in ("Comedy", "Drama"):
        scores = {"test_ap": 0.5, "test_fscore": 0.4, "test_fscore_soft": 0.4}
        scores |= {"train_fscore_soft": 0.4, "test_accuracy": 0.5}
        spec = write_model(runs, data, genre, scores=scores)
        labels = data.genre_labels(genre, (2,))
        rng = np.random.default_rng(1)
        write_predictions(
            runs / spec.run,
            Predictions(
                data.ids(2),
                np.full(len(labels), 2, np.uint8),
                labels,
                rng.random(len(labels)).astype(np.float32),
            ),
        )
    return runs, data


def test_the_page_shows_them_as_thumbnails(pictured: tuple[Path, Dataset], tmp_path: Path) -> None:
    runs, data = pictured
    out = tmp_path / "out"
    output_of("report", "--runs", runs, "--out", out, "--figure", "models", "--html", "--markdown")
    page = (out / "index.html").read_text()
    pictures = re.findall(
        r'<img src="data:image/webp;base64,([^"]+)" alt="poster (\d+), (not )?(\w+), probability',
        page,
    )
    assert {genre for *_, genre in pictures} == {"Comedy", "Drama"}
    assert 0 < sum(len(picture) for picture, *_ in pictures) < BUDGET
    rows = {int(i): n for n, i in enumerate(data.ids(2))}
    for picture, poster, isnt, genre in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"))
        original = data.images(2)[rows[int(poster)]]
        assert np.abs(pixels.astype(int) - original.astype(int)).mean() < 12
        label = data.genre_labels(genre, (2,))[rows[int(poster)]]
        assert bool(label) != bool(isnt)
    assert "In the HTML page only: the posters." in (out / "report.md").read_text()


def test_without_its_data_a_page_says_so(pictured: tuple[Path, Dataset], tmp_path: Path) -> None:
    runs, data = pictured
    data.path.rename(tmp_path / "moved")
    out = tmp_path / "out"
    output_of("report", "--runs", runs, "--out", out, "--figure", "models", "--html")
    assert "Comedy: no thumbnails" in (out / "index.html").read_text()
