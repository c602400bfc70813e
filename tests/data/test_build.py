"""`postertui data build` and `show` as a user starts them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

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
    output = postertui("data", "show", "--data", tmp_path / "data")
    assert "4 posters of 16 by 16 pixels, 2 cohorts, 2 genres" in output.stdout


def test_a_folder_with_mirror_images_of_before_is_refused(tmp_path: Path) -> None:
    assert build(tmp_path, GOOD).returncode == 0
    description = tmp_path / "data" / "dataset.json"
    fields = json.loads(description.read_text())
    description.write_text(json.dumps(fields | {"mirror": True}))
    output = postertui("data", "show", "--data", tmp_path / "data")
    assert output.returncode == 2
    assert output.stderr.count("\n") == 1
    assert str(description) in output.stderr
    assert 'augment = "mirror"' in output.stderr
    assert build(tmp_path, GOOD, "--mirror").returncode == 2, "the option is gone"
    assert build(tmp_path, GOOD).returncode == 0, "built again, the folder is replaced"
    assert Dataset.open(tmp_path / "data").posters([2]) == 2


def test_what_cannot_be_used_is_named_and_left_out(tmp_path: Path) -> None:
    write_posters(tmp_path / "posters", range(100, 103))
    (tmp_path / "posters" / "112.jpg").write_bytes(b"not an image")
    (tmp_path / "posters" / "cover.jpg").write_bytes(b"")
    done = build(tmp_path, GOOD)
    assert done.returncode == 0
    for note in (
        "112.jpg: not an image",
        "cover.jpg: its name is not an id",
        "1 label without a poster, left out:\n  110",
    ):
        assert note in done.stderr
    assert "a poster without a label" in (tmp_path / "data" / "left-out.csv").read_text()


def test_posters_of_every_format_and_name(tmp_path: Path) -> None:
    write_posters(tmp_path / "posters", range(100, 101))
    image = Image.open(tmp_path / "posters" / "100.png")
    names = {
        101: "tt0000101.JPG", 102: "0102.png", 103: "103.webp", 104: "104.gif",
        105: "105_poster.bmp", 106: "106.jfif", 107: "poster-107.tiff", 108: "108.Jpeg",
    }  # fmt: skip
    if features.check("avif"):
        names[109] = "109.avif"
    for name in names.values():
        suffix = Path(name).suffix.lower()
        kind = {".jfif": "JPEG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tiff": "TIFF"}
        image.save(tmp_path / "posters" / name, kind.get(suffix, suffix[1:].upper()))
    (tmp_path / "posters" / "112_500x750.jpg").write_bytes(b"")
    (tmp_path / "posters" / "notes.txt").write_text("hello")
    ids = [100, *names]
    done = build(tmp_path, "Id,genre\n" + "".join(f"tt{i:07},Drama\n" for i in ids), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["posters"] == len(ids)
    left_out = {Path(f["file"]).name: f["reason"] for f in summary["left_out"]["files"]}
    assert left_out == {
        "112_500x750.jpg": "its name is not an id",
        "notes.txt": "not an image file by its name",
    }


def test_decoders_write_nothing_of_their_own(tmp_path: Path) -> None:
    write_posters(tmp_path / "posters", range(100, 101))
    image = Image.open(tmp_path / "posters" / "100.png").resize((90, 60))
    for number, compression in ((102, "tiff_lzw"), (104, "tiff_deflate"), (106, "jpeg")):
        path = tmp_path / "posters" / f"{number}.tif"
        image.save(path, compression=compression)
        data = bytearray(path.read_bytes())
        data[40:200] = bytes(160)
        path.write_bytes(data)
    done = build(tmp_path, "id,genres\n100,A\n102,A\n104,A\n106,A\n")
    assert done.returncode == 0
    for line in done.stderr.splitlines():
        assert line.startswith(("posters: ", "labels: ", "matched: ", "  ")) or "left out" in line


def test_two_files_of_one_id(tmp_path: Path) -> None:
    write_posters(tmp_path / "posters", range(100, 104))
    folder = tmp_path / "posters"
    shutil.copy(folder / "101.png", folder / "100_large.png")
    (folder / "again").mkdir()
    shutil.copy(folder / "101.png", folder / "again" / "101.png")
    shutil.copy(folder / "101.png", folder / "again" / "102.png")
    labels = "id,genres\n100,A\n101,A\n102,A\n103,A\n"
    summary = json.loads(build(tmp_path, labels, "--json").stdout)
    assert summary["cohorts"] == {"0": 1, "1": 1, "3": 1}
    left_out = [(Path(f["file"]).name, f["reason"]) for f in summary["left_out"]["files"]]
    assert left_out == [
        ("100_large.png", "100.png has the same id"),
        ("101.png", "101.png has the same id"),
        ("102.png", "another file has the same id"),
        ("102.png", "another file has the same id"),
    ]
    strict = build(tmp_path, labels, "--strict")
    assert (strict.returncode, len(strict.stderr.splitlines())) == (2, 1)
    assert "both are of the id 102" in strict.stderr


def test_a_dry_run_says_what_it_understood_and_writes_nothing(tmp_path: Path) -> None:
    labels = (
        "index;Id;genres;year\n0;tt100;Drama, Comedy;1999\n1;tt102;comedy ;2000\n"
        "2;tt102;Comedy;2000\n3;tt110;Comedy;1990\n4;tt110;Drama;1990\n5;x;Drama;1\n"
    )
    done = build(tmp_path, labels, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "data").exists()
    for line in (
        "separated by semicolons",
        "ids in `Id`; 2 genres in `genres`, joined by ','",
        "passed over: index, year",
        "`comedy` counts as `Comedy`",
        "1 equal row of an id already read",
        "matched: 2 posters with labels",
        "  100: Comedy, Drama",
    ):
        assert line in done.stdout
    assert "line 6: 110 has other genres than in line 5" in done.stderr
    assert "line 7: column `Id`: 'x' is not an id" in done.stderr


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("id,genres\nx,Comedy\n", "line 2: column `id`: 'x' is not an id"),
        ("id,title\n100,Up\n", "no genres: neither a column such as `genres`"),
        ("name,genres\n100,Comedy\n", "no column of ids, such as id"),
        ("id,genres\n", "has no labels"),
        ("id,genres\n100,\n", "names no genre"),
        ("", "line 1: is empty"),
        ("id,genres\n999,Comedy\n", "none of its 1 ids"),
        ("id,genres\n100,['Comedy'\n102,['Drama']\n", "is not a list, as other cells are"),
        ("id,genres\n100,[Comedy|Drama\n102,Drama\n", "the genre `[Comedy` looks wrong"),
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
    posters = make_posters(tmp_path / "many", n_per_cohort=300)
    command = [
        sys.executable, "-m", "postertui", "data", "build", "--posters", str(posters.posters),
        "--labels", str(posters.labels), "--data", str(tmp_path / "data"),
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
    build_dataset(posters.posters, posters.labels, tmp_path / "data")
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
    posters = make_posters(tmp_path, n_per_cohort=200, cohorts=(0,))
    build_dataset(posters.posters, posters.labels, tmp_path / "data")
    dataset = Dataset.open(tmp_path / "data")
    brightness = np.asarray(dataset.images(0)).mean(axis=(1, 2, 3))
    horror = dataset.genre_labels("Horror", [0]).astype(bool)
    assert brightness[horror].mean() < brightness[~horror].mean() - 10
    assert 0.1 < dataset.base_rate("Horror", [0]) < 0.3
