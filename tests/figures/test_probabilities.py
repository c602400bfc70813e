"""Figures of predictions: what they draw is what scikit-learn computes, and what their CSV says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn import metrics

from postertui.figures.options import FigureOptions
from postertui.figures.probabilities import PREDICTION_FIGURES, draw_probabilities
from postertui.figures.render import to_ggplot
from postertui.history.selection import open_history
from postertui.history.writing import write_table
from postertui.predictions.loading import RunPredictions, load_runs
from postertui.predictions.table import predictions_path
from postertui.report import ReportRequest, prepare_pictures
from postertui.system.errors import UserError
from tests.support.commands import invoke
from tests.support.predictions import write_predicted_runs

Runs = Sequence[RunPredictions]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genres, two variants, one seed."""
    folder = tmp_path_factory.mktemp("predicted") / "runs"
    write_predicted_runs(folder, seeds=1, posters=900)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Runs:
    return load_runs(folder, sorted(p.name for p in folder.iterdir()))[0]


def of(runs: Runs, genre: str, variant: str) -> RunPredictions:
    [run] = [r for r in runs if (r.genre, r.variant) == (genre, variant)]
    return run


def marks(name: str, runs: Runs, geom: str, **options: object) -> pl.DataFrame:
    picture = draw_probabilities(name, runs, FigureOptions(**options))  # type: ignore[arg-type]
    return picture.marks().filter(pl.col("mark") == geom)


def test_precision_recall_passes_through_the_curve(runs: Runs) -> None:
    lines = marks("precision-recall", runs, "line")
    assert set(lines["series"]) == {"base", "bce"}
    drawn = lines.filter((pl.col("genre") == "Drama") & (pl.col("series") == "bce"))
    test = of(runs, "Drama", "bce").test
    precision, recall, _ = metrics.precision_recall_curve(test.labels, test.probabilities)
    for x, y in drawn.select("recall", "value").iter_rows():
        reaching = recall >= x - 1e-9
        assert y == pytest.approx(precision[reaching][-1], abs=1e-9)
    rates = marks("precision-recall", runs, "hline")
    assert rates["value"].to_list() == pytest.approx([test.labels.mean()] * 2)
    assert marks("precision-recall", runs, "hline", baselines=()).is_empty()


def test_roc_is_scikit_learns(runs: Runs) -> None:
    lines = marks("roc", runs, "line").drop_nulls("series")
    drawn = lines.filter((pl.col("genre") == "Comedy") & (pl.col("series") == "base"))
    test = of(runs, "Comedy", "base").test
    rates, recalls, _ = metrics.roc_curve(test.labels, test.probabilities, drop_intermediate=False)
    # At a rate with several recalls the curve is vertical, and either end is on it.
    ours, theirs = (
        drawn["value"].to_numpy(),
        np.interp(drawn["false_positive_rate"], rates, recalls),
    )
    assert np.abs(ours - theirs).mean() < 0.005
    area = np.sum(np.diff(drawn["false_positive_rate"]) * (ours[1:] + ours[:-1]) / 2)
    assert area == pytest.approx(metrics.roc_auc_score(test.labels, test.probabilities), abs=0.005)


def test_mean_scores_are_over_the_genres_that_all_variants_have(runs: Runs) -> None:
    def note(chosen: Runs) -> str:
        (line,) = draw_probabilities("roc", chosen, FigureOptions()).notes
        return line

    one = [run for run in runs if (run.variant, run.genre) != ("bce", "Drama")]
    assert note(runs).startswith("mean AUROC: ")
    alone = note([run for run in runs if run.genre == "Comedy"])
    assert note(one) == alone.replace("mean AUROC", "mean AUROC over Comedy, which all have")
    none = [run for run in one if (run.variant, run.genre) != ("base", "Comedy")]
    assert note(none) == "mean AUROC: none, for the variants have no genre in common"


def test_threshold_curves_are_f_of_both_cohorts_with_the_chosen_one_marked(runs: Runs) -> None:
    lines = marks("threshold", runs, "line")
    run = of(runs, "Comedy", "bce")
    cell = (pl.col("genre") == "Comedy") & (pl.col("variant") == "bce")
    for series, cohort in (("Test", run.test), ("Validation", run.validation)):
        assert cohort is not None
        drawn = lines.filter(cell & (pl.col("series") == series))
        for t, f in drawn.gather_every(10).select("threshold", "value").iter_rows():
            decided = cohort.probabilities.astype(np.float64) > t
            expected = metrics.f1_score(cohort.labels, decided, zero_division=0)
            assert f == pytest.approx(expected, abs=1e-9)
    chosen = marks("threshold", runs, "vline").filter(cell & (pl.col("value") != 0.5))
    assert chosen["value"].to_list() == pytest.approx([run.chosen_threshold])


def test_calibration_counts_every_poster(runs: Runs) -> None:
    texts = marks("calibration", runs, "text")
    posters = len(runs[0].test)
    counts = (
        texts.with_columns(pl.col("label").cast(pl.Int64)).group_by("panel").agg(pl.sum("label"))
    )
    assert counts["label"].to_list() == [posters] * 4
    notes = marks("calibration", runs, "note")["label"].to_list()
    brier = metrics.brier_score_loss(
        of(runs, "Comedy", "base").test.labels,
        of(runs, "Comedy", "base").test.probabilities.astype(np.float64),
    )
    assert notes[0].startswith(f"Brier {brier:.3f}")


def test_confusion_decides_by_the_chosen_threshold(runs: Runs) -> None:
    run = of(runs, "Drama", "base")
    cell = (pl.col("genre") == "Drama") & (pl.col("variant") == "base")
    drawn = marks("confusion", runs, "text").filter(cell)
    counts = {
        (x, y): int(t.split("\n")[0])
        for x, y, t in drawn.select("decided", "value", "label").iter_rows()
    }
    decided = run.test.probabilities.astype(np.float64) > run.threshold
    (tn, fp), (fn, tp) = metrics.confusion_matrix(run.test.labels, decided)
    assert counts == {(1, 1): tn, (2, 1): fp, (1, 2): fn, (2, 2): tp}


def test_seeds_become_mean_and_interval(tmp_path: Path) -> None:
    write_predicted_runs(tmp_path, seeds=3, posters=300)
    runs, _ = load_runs(tmp_path, sorted(p.name for p in tmp_path.iterdir()))
    picture = draw_probabilities("precision-recall", runs, FigureOptions(seed_lines=True))
    geoms = [layer.geom for layer in picture.layers]
    assert geoms == ["hline", "ribbon", "line", "line"]
    ribbon = picture.layers[1].data
    assert ribbon["low"].min() >= 0  # type: ignore[operator]
    assert ribbon["high"].max() <= 1  # type: ignore[operator]
    assert marks("confusion", runs, "text").height == 16


@pytest.mark.parametrize("name", PREDICTION_FIGURES)
def test_every_figure_can_be_built(name: str, runs: Runs) -> None:
    to_ggplot(draw_probabilities(name, runs, FigureOptions(palette="okabe-ito"))).draw()


def test_without_validation_there_is_no_chosen_threshold(tmp_path: Path) -> None:
    write_predicted_runs(tmp_path, seeds=1, posters=300, validate=False)
    runs, _ = load_runs(tmp_path, sorted(p.name for p in tmp_path.iterdir()))
    assert set(marks("threshold", runs, "line")["series"]) == {"Test"}
    assert marks("threshold", runs, "vline")["value"].unique().to_list() == [0.5]
    assert "threshold .5" in draw_probabilities("confusion", runs, FigureOptions()).caption


def test_dead_runs_and_those_without_predictions_are_counted(runs: Runs) -> None:
    first = runs[0]
    dead = RunPredictions(
        "dead",
        "base",
        "Comedy",
        9,
        None,
        first.test.of_cohorts([2]),
    )
    dead.test.probabilities[:] = math.nan
    picture = draw_probabilities("roc", [*runs, dead], FigureOptions(), without=2)
    assert [str(h) for h in picture.hidden] == ["2 runs without predictions", "1 run dead"]
    with pytest.raises(UserError, match="dead") as error:
        draw_probabilities("roc", [dead], FigureOptions())
    assert error.value.exit_code == 3


def call(*words: str | Path) -> tuple[int, str]:
    result = invoke(*words)
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    if result.exception is not None:
        raise result.exception
    return result.return_value or 0, result.output


def test_report_draws_them_with_its_usual_options(folder: Path, tmp_path: Path) -> None:
    words = ("report", "--runs", folder, "--out", tmp_path, "--figure", "roc", "--genre", "drama")
    code, output = call(*words, "--format", "svg", "--palette", "okabe-ito")
    assert code == 0
    assert "mean AUROC: bce" in output
    csv = pl.read_csv(tmp_path / "roc.csv")
    assert csv["genre"].drop_nulls().unique().to_list() == ["Drama"]
    assert "false_positive_rate" in csv.columns
    assert call(*words, "--format", "svg", "--palette", "okabe-ito")[1].count("unchanged") == 1


def test_a_filter_and_variants_narrow_them(folder: Path) -> None:
    request = ReportRequest(figures=("roc",), filter="genre:comedy", variants=("bce",))
    [(picture, _)], _ = prepare_pictures(open_history(folder), request)
    assert picture.facets.levels["genre"] == ["Comedy"]
    assert list(picture.colours) == ["base", "bce"]


def test_a_table_has_no_predictions(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.tsv"
    write_table(open_history(folder).table, table)
    code, message = call("report", "--from", table, "--out", tmp_path, "--figure", "roc")
    assert code == 2
    assert "name the runs folder with --runs" in message


def test_strict_published_has_none(runs: Runs) -> None:
    with pytest.raises(UserError, match="leave out --strict-published"):
        draw_probabilities("roc", runs, FigureOptions(strict=True))


def test_a_truncated_file_is_one_line(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    [run] = write_predicted_runs(runs, seeds=1, genres=("Drama",), variants={"base": 0.1})
    path = predictions_path(runs / run)
    path.write_bytes(path.read_bytes()[:-100])
    code, message = call("report", "--runs", runs, "--out", tmp_path / "out", "--figure", "roc")
    assert code == 2
    assert message.startswith(f"{path}: not a whole Parquet file")
    assert not (tmp_path / "out" / "roc.png").exists()
