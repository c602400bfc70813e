"""`postertui data build` and `show` as a user starts them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.data.posters import build_dataset
from postertui.data.synthetic import make_posters
from postertui.system.errors import UserError
from tests.support.analysis_runs import postertui
from tests.support.poster_files import write_posters

GOOD = "id,genres\n100,Comedy\n102,Drama|Comedy\n110,\n112,Drama\n"


def build(folder: Path, labels: str, *more: str) -> subprocess.CompletedProcess[str]:
    if not (folder / "posters").exists():
        write_posters(folder / "posters", range(100, 113, 2))
        write_posters(folder / "posters", range(110, 111))
    (folder / "labels.csv").write_text(labels)
    return postertui(
        "data", "build", "--posters", folder / "posters", "--labels", folder / "labels.csv",
        "--data", folder / "data", *more,
    )  # fmt: skip


def test_joined_and_separate_genres_give_the_same_labels(tmp_path: Path) -> None:
    done = build(tmp_path, GOOD, "--side", "16", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["cohorts"] == {"0": 2, "2": 2}
    assert summary["left_out"]["posters_without_label"] == 3
    dataset = Dataset.open(tmp_path / "data")
    assert dataset.genres == ("Comedy", "Drama")
    assert dataset.images(0).shape == (2, 16, 16, 3)
    assert dataset.labels(2).tolist() == [[1, 1], [0, 1]]
    build(tmp_path, "Comedy,id,Drama\n1,100,0\n1,102,1\n0,110,0\n0,112,1\n", "--side", "16")
    again = Dataset.open(tmp_path / "data")
    assert again.fingerprint == dataset.fingerprint
    shown = postertui("data", "show", "--data", tmp_path / "data")
    assert "4 posters of 16 by 16 pixels, 2 cohorts, 2 genres" in shown.stdout


def test_mirrored_copies_follow(tmp_path: Path) -> None:
    assert build(tmp_path, GOOD, "--mirror").returncode == 0
    dataset = Dataset.open(tmp_path / "data")
    images = np.asarray(dataset.images(2))
    assert (dataset.posters([2]), dataset.rows([2])) == (2, 4)
    assert np.array_equal(images[2:], images[:2, :, ::-1])
    assert not np.array_equal(images[2:], images[:2])
    assert dataset.ids(2).tolist() == [102, 112, 102, 112]


def test_what_cannot_be_used_is_named_and_left_out(tmp_path: Path) -> None:
    write_posters(tmp_path / "posters", range(100, 103))
    (tmp_path / "posters" / "112.jpg").write_bytes(b"not an image")
    (tmp_path / "posters" / "cover.jpg").write_bytes(b"")
    done = build(tmp_path, GOOD)
    assert done.returncode == 0
    for told in ("112.jpg: not a JPEG", "cover.jpg", "1 labels have no poster", "  110"):
        assert told in done.stderr
    assert "a poster without a label" in (tmp_path / "data" / "left-out.csv").read_text()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("id;genres\n100;Comedy\n", "line 1: its columns are separated by semicolons; use commas"),
        ("id,genres,year\n100,Comedy,1990\n", "line 1: unknown column `year`"),
        ("id,genres\n100,Comedy\n100,Drama\n", "line 3: duplicate id 100"),
        ("id,genres\nx,Comedy\n", "line 2, column `id`: 'x' is not a number"),
        ("id,Comedy,title\n100,1,Up\n", "line 2, column `title`: unknown column"),
        ("name,genres\n100,Comedy\n", "line 1: no column `id`"),
        ("id,genres\n", "has no labels"),
        ("", "no column `id`"),
        ("id,genres\n999,Comedy\n", "none of its 1 ids"),
    ],
)
def test_a_wrong_label_file_is_one_line(labels: str, message: str, tmp_path: Path) -> None:
    done = build(tmp_path, labels)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "data").exists()


def test_an_empty_folder_of_posters_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "posters").mkdir()
    done = build(tmp_path, GOOD)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "no poster in it" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_build_leaves_the_old_data(number: int, tmp_path: Path) -> None:
    build(tmp_path, GOOD)
    old = Dataset.open(tmp_path / "data").fingerprint
    made = make_posters(tmp_path / "many", n_per_cohort=300)
    command = [
        sys.executable, "-m", "postertui", "data", "build", "--posters", str(made.posters),
        "--labels", str(made.labels), "--data", str(tmp_path / "data"),
    ]  # fmt: skip
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    patience = time.monotonic() + 60
    while not list(tmp_path.glob(".data.building-*/images-*")) and job.poll() is None:
        assert time.monotonic() < patience
    job.send_signal(number)
    job.wait(60)
    dataset = Dataset.open(tmp_path / "data")
    assert dataset.fingerprint == old or dataset.posters(dataset.cohorts) == 600
    assert dataset.labels(2).any()
    build_dataset(made.posters, made.labels, tmp_path / "data")
    assert Dataset.open(tmp_path / "data").posters([0, 2]) == 600
    assert not list(tmp_path.glob(".data.building-*"))


def test_the_pair_of_2017_is_read_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.random((5, 8, 8, 3))
    labels = np.zeros((5, 18))
    labels[:2, 1] = 1
    np.save(tmp_path / "img_rgb_color_0x.npy", images)
    np.save(tmp_path / "genre_cohorts_0x.npy", labels)
    dataset = Dataset.open(tmp_path)
    assert np.array_equal(dataset.images(0), images)
    assert dataset.base_rate("Comedy", [0]) == 0.4
    np.save(tmp_path / "genre_cohorts_0x.npy", labels[:4])
    with pytest.raises(UserError, match=r"genre_cohorts_0x\.npy"):
        Dataset.open(tmp_path)


def test_made_up_posters_look_like_their_genres(tmp_path: Path) -> None:
    made = make_posters(tmp_path, n_per_cohort=200, cohorts=(0,))
    build_dataset(made.posters, made.labels, tmp_path / "data")
    dataset = Dataset.open(tmp_path / "data")
    brightness = np.asarray(dataset.images(0)).mean(axis=(1, 2, 3))
    horror = dataset.genre_labels("Horror", [0]).astype(bool)
    assert brightness[horror].mean() < brightness[~horror].mean() - 10
    assert 0.1 < dataset.base_rate("Horror", [0]) < 0.3
