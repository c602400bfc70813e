"""`postertui predict` as a user starts it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.data.weights import Weights
from postertui.runs import layout
from postertui.study import Variant
from postertui.system.errors import UserError
from tests.support.analysis_runs import postertui
from tests.support.commands import invoke
from tests.support.trained_models import build_data, image_files, write_many_sizes, write_model

SMALL = {"fc1": 16, "fc2": 8, "epochs": 1}


@pytest.fixture(scope="module")
def posters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many_sizes(tmp_path_factory.mktemp("sizes") / "posters", 6)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, posters: Path) -> Dataset:
    return build_data(tmp_path_factory.mktemp("built") / "data", posters)


@pytest.fixture
def runs(tmp_path: Path, built: Dataset) -> Path:
    """Comedy: base is better on validation, bce on test. Drama: base alone, no validation."""
    runs = tmp_path / "runs"
    write_model(runs, built, "Comedy", scores={"val_ap": 0.6, "test_ap": 0.5, "threshold": 0.4})
    bce = Variant(name="bce", loss="bce", **SMALL)  # type: ignore[arg-type]
    write_model(runs, built, "Comedy", variant=bce, scores={"val_ap": 0.5, "test_ap": 0.7})
    write_model(runs, built, "Drama", scores={"test_ap": 0.3})
    return runs


def call(*words: str | Path) -> tuple[int, str]:
    """Exit code and message, of what ends before a model is loaded."""
    result = invoke(*words)
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is not None
    raise result.exception


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.slow
def test_posters_go_straight_to_a_table(runs: Path, posters: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("no image")
    result = postertui("predict", posters, broken, "--runs", runs, "--format", "csv")
    assert result.returncode == 0, result.stderr
    assert f"{broken}: not an image, or of a format that cannot be read; skipped" in result.stderr
    table = rows(result.stdout)
    files = image_files(posters)
    assert [row["genre"] for row in table] == ["Comedy", "Drama"] * len(files)
    assert {row["id"] for row in table} == {path.stem for path in files}
    for row in table:
        assert float(row["threshold"]) == (0.4 if row["genre"] == "Comedy" else 0.5)
        above = float(row["probability"]) > float(row["threshold"])
        assert row["positive"] == str(above).lower()
    # Drama has one model, so nothing was chosen on the test cohort.
    assert "chosen by test average precision" in result.stderr


@pytest.mark.slow
def test_a_named_run_into_a_json_file(runs: Path, posters: Path, tmp_path: Path) -> None:
    run = next(p.name for p in runs.iterdir() if p.name.startswith("comedy--bce"))
    target = tmp_path / "out.json"
    poster = image_files(posters)[0]
    result = postertui("predict", poster, "--run", run, "--runs", runs, "-o", target)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    [row] = json.loads(target.read_text())
    assert row["genre"] == "Comedy"
    assert row["threshold"] == 0.5
    assert [p.name for p in tmp_path.glob(".new-*")] == []


@pytest.mark.slow
def test_the_table_for_people_has_a_line_per_poster(runs: Path, posters: Path) -> None:
    result = postertui("predict", posters, "--runs", runs, "--variant", "base", "--genre", "comedy")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["file", "Comedy"]
    assert len([line for line in lines if str(posters) in line]) == 6


def test_weights_of_another_run_are_one_clear_line(runs: Path, posters: Path) -> None:
    comedy, drama = (
        next(p for p in runs.iterdir() if p.name.startswith(g)) for g in ("comedy--base", "drama")
    )
    shutil.copy(drama / layout.WEIGHTS, comedy / layout.WEIGHTS)
    code, message = call("predict", posters, "--run", comedy.name, "--runs", runs)
    assert code == 2
    assert f"{comedy / layout.WEIGHTS}: not the file that the run wrote" in message


def test_another_backbone_is_one_clear_line(tmp_path: Path, built: Dataset, posters: Path) -> None:
    backbone = tmp_path / "vgg16.h5"
    backbone.write_bytes(b"changed since")
    weights = Weights("file", "0" * 32, str(backbone))
    write_model(tmp_path / "runs", built, "Comedy", weights=weights)
    code, message = call("predict", posters, "--runs", tmp_path / "runs")
    assert code == 2
    assert f"{backbone}: not the weights that the run was trained on" in message
    backbone.unlink()
    assert call("predict", posters, "--runs", tmp_path / "runs")[0] == 2


def test_mistakes(runs: Path, posters: Path, tmp_path: Path) -> None:
    where = ("--runs", runs)
    empty = tmp_path / "empty"
    empty.mkdir()
    for words, code, message in (
        ((tmp_path / "none.jpg", *where), 2, "no such file or folder"),
        ((empty, *where), 3, "no image in it"),
        ((posters, "--runs", empty), 3, "no run with trained weights"),
        ((posters, "--runs", tmp_path / "none"), 3, "no such folder"),
        ((posters, *where, "--run", "comedy"), 3, "no such run with trained weights"),
        ((posters, *where, "--variant", "l2-*"), 3, "variants with trained weights: base, bce"),
        ((posters, *where, "--genre", "War"), 3, "there are Comedy, Drama"),
        ((posters, *where, "-o", "x.txt"), 2, "name the file .csv or .json"),
        ((posters, *where, "-o", tmp_path / "no" / "x.csv"), 2, "make it first"),
        ((posters, *where, "--data", empty), 2, "name it with --data"),
    ):
        assert call("predict", *words)[0] == code, words
        assert message in call("predict", *words)[1]


def test_the_best_is_chosen_on_validation(runs: Path) -> None:
    from postertui.cli.selection import open_store
    from postertui.predictions.models import best_models, choice_line, trained_models

    models = trained_models(open_store(runs))
    assert len(models) == 3
    best = best_models(models)
    assert [(m.genre, m.spec.variant.name) for m in best] == [("Comedy", "base"), ("Drama", "base")]
    assert "Drama" in choice_line(best)
    assert "Comedy" not in choice_line(best)


def test_a_run_that_is_not_done_is_no_model(runs: Path, built: Dataset) -> None:
    from postertui.cli.selection import open_store
    from postertui.predictions.models import trained_models
    from postertui.runs.events import EventWriter

    spec = write_model(runs, built, "Comedy", seed=1)
    with EventWriter(runs / spec.run / layout.EVENTS) as events:
        events.append("requeue")
    assert spec.run not in {model.run for model in trained_models(open_store(runs))}


def test_the_threshold_of_the_best_epochs_weights_is_their_own(
    tmp_path: Path, built: Dataset
) -> None:
    """The history has the last epoch's threshold; weights that were restored need another."""
    from postertui.cli.selection import open_store
    from postertui.predictions.models import trained_models
    from postertui.predictions.table import Predictions, write_predictions
    from postertui.runs.events import EventWriter

    spec = write_model(tmp_path, built, "Comedy", scores={"threshold": 0.9})
    with EventWriter(tmp_path / spec.run / layout.EVENTS) as events:
        end = dict(events.events[-1])
        events.append("requeue")
        events.append("start", from_epoch=2, pid=1, started=1, boot="x", host="x", device="cpu")
        events.append("epoch", epoch=2, threshold=0.9, seconds=1.0)
        events.append("end", status="done", weights=end["weights"])
    labels = np.array([0, 1, 0, 1], np.uint8)
    last = np.array([0.1, 0.9, 0.1, 0.9], np.float32)
    best = np.array([0.1, 0.3, 0.1, 0.3], np.float32)
    cohorts = np.array([1, 1, 2, 2], np.uint8)
    predictions = Predictions(np.arange(4), cohorts, labels, last, best)
    write_predictions(tmp_path / spec.run, predictions)
    [model] = trained_models(open_store(tmp_path))
    assert model.threshold == pytest.approx(0.2)
