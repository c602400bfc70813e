"""The page's thumbnails: each genre's notable posters, as its best model sees them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postertui.predictions.loading import RunPredictions, load_run
from postertui.predictions.notable import COUNT, TITLES, NotablePoster
from postertui.predictions.out_of_fold import merge_runs
from postertui.report.poster_pixels import Pixels, poster_pixels
from postertui.system.errors import UserError

#: Bytes that all thumbnails of a page may take, embedded.
BUDGET = 1_400_000

#: The longest side of a thumbnail in pixels; posters of a larger side are shrunk.
SIDE = 96

_QUALITY = 75


@dataclass(frozen=True)
class Thumbnail:
    """A poster as a `data:` address, and what is said under it."""

    address: str
    caption: str
    description: str


@dataclass(frozen=True)
class Gallery:
    """One genre's thumbnails of one kind."""

    title: str
    thumbnails: Sequence[Thumbnail]


def poster_galleries(runs_folder: Path, table: pl.DataFrame) -> tuple[list[Gallery], list[str]]:
    """The galleries of the best run in each genre, and sentences to put above them.

    Best is the highest average precision on validation at the last epoch, or on test without a
    validation cohort.

    Parameters
    ----------
    runs_folder
        Where the predictions are. Runs without any are passed over; where the data folder is gone
        or has changed, a sentence says so.
    table
        The history table of the runs.

    Returns
    -------
    tuple
        Of each kind there are as many posters as `BUDGET` has room for, at most `COUNT`.
    """
    pictures_by_run: list[tuple[RunPredictions, list[tuple[NotablePoster, str]]]] = []
    notes: list[str] = []
    rotated = False
    for genre, runs in _by_quality(table).items():
        run = _first_with_predictions(runs_folder, runs)
        if run is None:
            continue
        rotations = _rotations_of(runs_folder, run, table)
        rotated = rotated or len(rotations) > 1
        run = merge_runs(rotations)
        try:
            pictures_by_run.append((run, _pictures(runs_folder, run)))
        except UserError as error:
            notes.append(f"{genre}: no thumbnails: {error}.")
    count = _affordable(pictures_by_run)
    galleries = [
        Gallery(
            f"{run.genre}: {TITLES[kind].lower()} ({run.run})",
            [_thumbnail(run, *p) for p in pictures if p[0].kind == kind][:count],
        )
        for run, pictures in pictures_by_run
        for kind in TITLES
    ]
    if galleries:
        notes.insert(
            0,
            "Test posters as each genre's best model on validation sees them: its surest mistakes "
            "and the posters nearest to its threshold.",
        )
        if rotated:
            notes.insert(
                1, "Where its cohorts were rotated, each poster by the models that never saw it."
            )
    return [gallery for gallery in galleries if gallery.thumbnails], notes


def _by_quality(table: pl.DataFrame) -> dict[str, list[str]]:
    """The runs of each genre, the best first."""
    last = table.sort("epoch").unique("run", keep="last").filter(pl.col("test_ap").is_not_null())
    ordered = last.sort(
        "genre", "val_ap", "test_ap", "run", descending=[False, True, True, False], nulls_last=True
    )
    return dict(ordered.group_by("genre", maintain_order=True).agg("run").iter_rows())


def _first_with_predictions(runs_folder: Path, runs: Iterable[str]) -> RunPredictions | None:
    for name in runs:
        try:
            run = load_run(runs_folder, name)
        except UserError:
            continue  # pruned or damaged; `postertui doctor` says which
        if not run.is_dead:
            return run
    return None


def _rotations_of(
    runs_folder: Path, run: RunPredictions, table: pl.DataFrame
) -> list[RunPredictions]:
    """The run, and those of its setting and seed that tested on other cohorts."""
    same = table.filter(
        (pl.col("name") == run.variant)
        & (pl.col("genre") == run.genre)
        & (pl.col("seed") == run.seed)
        & (pl.col("run") != run.run)
    )
    rotations = {run.test_cohorts: run}
    for name in same["run"].unique(maintain_order=True):
        try:
            other = load_run(runs_folder, name)
        except UserError:
            continue  # pruned or damaged; `postertui doctor` says which
        if not other.is_dead:
            rotations.setdefault(other.test_cohorts, other)
    return list(rotations.values())


def _pictures(runs_folder: Path, run: RunPredictions) -> list[tuple[NotablePoster, str]]:
    """The run's notable posters with their pictures. Raises `UserError` as `poster_pixels` does."""
    return [(poster, _embed(pixels)) for poster, pixels in poster_pixels(runs_folder, run)]


def _embed(pixels: Pixels) -> str:
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    image.save(data, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"


def _affordable(
    pictures_by_run: Sequence[tuple[RunPredictions, Sequence[tuple[NotablePoster, str]]]],
) -> int:
    """How many posters of each kind stay within the budget."""
    for count in range(COUNT, 0, -1):
        total = sum(
            len(address)
            for _, pictures in pictures_by_run
            for kind in TITLES
            for _, address in [p for p in pictures if p[0].kind == kind][:count]
        )
        if total <= BUDGET:
            return count
    return 0


def _thumbnail(run: RunPredictions, poster: NotablePoster, address: str) -> Thumbnail:
    truth = run.genre if poster.label else f"not {run.genre}"
    caption = f"{poster.poster}: {poster.probability:.3f}"
    return Thumbnail(
        address, caption, f"poster {poster.poster}, {truth}, probability {poster.probability:.3f}"
    )
