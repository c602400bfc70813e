"""The published table of 2017 where it is, and a made-up one of its settings and kinds of rows.

Tests of what the program says about such a table take `every_study`: they run on the made-up table
everywhere, and on the real one too where it lies beside the project.
"""

from __future__ import annotations

import atexit
import csv
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postertui.history.reading import read_table
from postertui.history.schema import PUBLISHED_SCHEMA, with_base_rates
from postertui.published.facts import BASE_RATES, GENRES
from tests.support.logs_2017 import SHARED, log_of

#: Genres whose cohorts had batches without a positive in every epoch, so that their F is undefined.
RARE = ("TV_Movie", "Western", "History", "War", "Mystery", "Fantasy", "Foreign", "Animation")
_EVERY_BUT_RARE = (*(g for g in GENRES if g not in RARE), "Animation")
_L1 = "L1=1e-5"
_LONG = ("Animation", "Comedy", "Drama")

#: Family, regularizer, FC1, FC2, genres, epochs, the made-up difference to base, and what
#: the names of logs say after the genre, of settings that have logs.
_SETTINGS: tuple[tuple[str, str, int, int, tuple[str, ...], int, float, str], ...] = (
    ("base", _L1, 256, 256, GENRES, 10, 0.0, "-256-256"),
    ("batch128", _L1, 256, 256, _EVERY_BUT_RARE, 10, -0.004, ""),
    ("batch64", _L1, 256, 256, _EVERY_BUT_RARE, 10, -0.004, ""),
    ("BCE loss", _L1, 256, 256, _EVERY_BUT_RARE, 10, -0.034, ""),
    ("BCE loss No Reg", "NoReg", 256, 256, _EVERY_BUT_RARE, 10, -0.036, ""),
    ("base", _L1, 1024, 256, GENRES, 10, -0.004, ""),
    ("base", _L1, 1024, 64, GENRES, 10, -0.004, ""),
    ("base", _L1, 256, 4, GENRES, 10, -0.004, ""),
    ("base", _L1, 256, 64, GENRES, 10, -0.004, ""),
    ("base", _L1, 4096, 4096, GENRES, 20, -0.034, ""),
    ("VGG w/16 frozen layers", _L1, 256, 256, GENRES, 10, -0.004, ""),
    ("VGG w/17 frozen layers", _L1, 256, 256, GENRES, 10, -0.002, ""),
    ("regularizer L1", "L1=0e", 256, 256, GENRES[:6], 10, -0.004, ""),
    ("regularizer L1", "L1=1e-4", 256, 256, _EVERY_BUT_RARE, 10, -0.05, ""),
    ("regularizer L1", "L1=1e-6", 256, 256, _EVERY_BUT_RARE, 10, 0.002, ""),
    ("regularizer L2", "L2=1e-2", 256, 256, _EVERY_BUT_RARE, 10, -0.056, ""),
    ("regularizer L2", "L2=1e-4", 256, 256, _EVERY_BUT_RARE, 10, -0.034, ""),
    ("regularizer L2", "L2=1e-5", 256, 256, _EVERY_BUT_RARE, 10, -0.004, ""),
    ("regularizer L2", "L2=1e-6", 256, 256, _EVERY_BUT_RARE, 10, 0.0, ""),
    ("LR decay", _L1, 256, 256, GENRES, 10, -0.046, ""),
    ("LR decay", _L1, 256, 64, GENRES, 10, -0.046, ""),
    ("LR decay", _L1, 256, 1024, GENRES[:8], 10, -0.06, ""),
    ("regularizer", "NoReg", 256, 256, _EVERY_BUT_RARE, 10, 0.0, "-256-256-NoReg"),
    ("Reduce LR on Plateau", _L1, 256, 256, GENRES, 10, -0.002, "-256-256_RLROP_"),
    ("100 epochs Reduce LR on Plateau", _L1, 256, 256, _LONG, 100, -0.004, ""),
    ("Reduce LR on Plateau", _L1, 256, 1024, GENRES[:8], 10, -0.004, ""),
    ("Reduce LR on Plateau", _L1, 256, 64, GENRES, 10, -0.004, ""),
    ("scratch", _L1, 256, 256, GENRES, 10, -0.07, "-256-256"),
)  # fmt: skip
_NOISE = 0.011
_LEVELS = {"Comedy": 0.36, "Drama": 0.432}


def _level(genre: str) -> float:
    rate = BASE_RATES[genre][1]
    return _LEVELS.get(genre, 2 * rate / (1 + rate) + 0.045)


def _accuracy(f: float, rate: float, recall: float = 0.7) -> float:
    """The accuracy that goes with this F-score and recall at this base rate."""
    true_positives = recall * rate
    false_positives = 2 * true_positives / f - 2 * true_positives - (1 - recall) * rate
    return 1 - false_positives - (1 - recall) * rate


def _made_up_rows() -> Iterator[tuple[str | int | float, ...]]:
    rng = np.random.default_rng(2017)
    for family, regularizer, fc1, fc2, genres, epochs, effect, _ in _SETTINGS:
        for genre in genres:
            rates = BASE_RATES[genre]
            run_noise = rng.normal(0, _NOISE)
            dies = {"batch64": genre not in ("Comedy", "Drama", "Animation")}.get(
                family, genre in RARE[:7] and rng.random() < 0.6
            )
            death = int(rng.integers(1, 8)) if dies else epochs + 1
            collapsed = family == "LR decay" and genre == "Drama"
            for epoch in range(1, epochs + 1):
                progress = 1 - 0.3 * math.exp(-epoch / 2)
                f = max(0.02, _level(genre) * progress + effect + run_noise)
                train_f, accuracy = f + 0.01 * epoch, _accuracy(f, rates[1])
                train_accuracy = _accuracy(train_f, rates[0])
                if collapsed:
                    f, accuracy, train_accuracy = 0.4352, rates[1], rates[0]
                test_loss, train_loss = 1 - f, 1.6 - 0.04 * epoch
                if epoch >= death:
                    train_loss = test_loss = train_f = f = math.nan
                    train_accuracy = accuracy = 0.0
                elif genre in RARE:
                    test_loss = f = math.nan
                numbers = (train_loss, train_accuracy, train_f, test_loss, accuracy, f)
                yield (
                    regularizer, fc1, fc2, genre, family, epoch,
                    *("NaN" if math.isnan(x) else f"{x:.12g}" for x in numbers),
                )  # fmt: skip


@cache
def _made_up_folder() -> Path:
    """The made-up table, and logs of some of its runs, with confusion counts at their end."""
    folder = Path(tempfile.mkdtemp(prefix="study-2017-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    rows = list(_made_up_rows())
    with (folder / "model_perf.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(PUBLISHED_SCHEMA)
        writer.writerows(rows)
    (folder / "history-logs").mkdir()
    for family, regularizer, fc1, fc2, genres, _, _, log_part in _SETTINGS:
        for number, genre in enumerate(GENRES):
            if log_part and genre in genres and genre in ("Comedy", "Crime", "Drama"):
                own = [r for r in rows if r[:5] == (regularizer, fc1, fc2, genre, family)]
                text = log_of([[str(value) for value in row[6:]] for row in own])
                name = f"model-{number}{log_part}{'' if '_' in log_part else '-'}"
                prefix = "scratch_" if family == "scratch" else ""
                path = folder / "history-logs" / f"{prefix}{name}history.txt"
                path.write_text(text)
    return folder


@dataclass(frozen=True)
class Study2017:
    """A table of 2017's form, and what is counted in it without the program's help."""

    label: str
    folder: Callable[[], Path]
    epochs: int
    runs: int
    dead_epochs: int
    dead_runs: int
    undefined_epochs: int
    logs: int
    #: F of the base variant for Drama, and its always-yes F.
    drama: tuple[str, str]
    macro_f1: str
    #: How far the best variant of a genre leads, the median of the genres.
    lead: str
    #: The noise of a run from base, reduce-lr and reduce-lr-100, which are one setting.
    base_noise: str
    worse: int
    #: By figure, how many points it lacks for which reason.
    not_drawn: tuple[tuple[str, str], ...]

    @property
    def table_path(self) -> Path:
        return self.folder() / "model_perf.tsv"

    @property
    def logs_path(self) -> Path:
        return self.folder() / "history-logs" if self is MADE_UP else SHARED / "history-logs"

    def table(self) -> pl.DataFrame:
        return _table(self.table_path)

    @property
    def dead_line(self) -> str:
        share = 100 * self.dead_epochs / self.epochs
        return (
            f"{self.dead_epochs:,} of {self.epochs:,} epochs ({share:.1f} %) come from dead models"
        )

    @property
    def undefined_line(self) -> str:
        return f"{self.undefined_epochs:,} of {self.epochs:,} epochs have no test_fscore"

    @property
    def drama_line(self) -> str:
        return "Drama ({}, always-yes {})".format(*self.drama)


@cache
def _table(path: Path) -> pl.DataFrame:
    return with_base_rates(read_table(path))


MADE_UP = Study2017(
    label="made-up", folder=_made_up_folder, epochs=4250, runs=380, dead_epochs=470,
    dead_runs=61, undefined_epochs=1459, logs=12, drama=("0.4244", "0.4384"), macro_f1="0.2259",
    lead="0.0065", base_noise="0.0115", worse=10,
    not_drawn=(
        ("base", "80 Test undefined, 2 Train isolated, 34 Train undefined"),
        ("fc", "480 Test undefined, 3 Train isolated, 201 Train undefined"),
        ("long-run", "100 Test undefined, 93 Train beyond the limits"),
    ),
)  # fmt: skip
PUBLISHED = Study2017(
    label="published", folder=lambda: SHARED / "published", epochs=4280, runs=383, dead_epochs=799,
    dead_runs=85, undefined_epochs=1540, logs=64, drama=("0.4366", "0.4384"), macro_f1="0.1443",
    lead="0.0031", base_noise="0.0087", worse=10,
    not_drawn=(
        ("base", "80 Test undefined, 5 Train isolated, 33 Train undefined"),
        ("fc", "480 Test undefined, 34 Train isolated, 169 Train undefined"),
        ("scratch", "20 Test undefined, 6 Train beyond the limits"),
        ("long-run", "100 Test undefined"),
    ),
)  # fmt: skip
STUDIES = [MADE_UP, *([PUBLISHED] if SHARED.is_dir() else [])]

every_study = pytest.mark.parametrize("study_2017", STUDIES, ids=lambda study: study.label)
