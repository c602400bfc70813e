"""`postertui export-model`: a file that Keras alone loads, with either backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from postertui.cli import cli
from postertui.data.dataset import Dataset
from postertui.study import Variant
from postertui.system.errors import UserError
from tests.support.analysis_runs import postertui
from tests.support.trained_models import build_data, image_files, write_many_sizes, write_model

#: What a user runs who has Keras and nothing of ours.
USER = """
import json, sys
sys.modules["postertui"] = None
import keras, numpy as np
from PIL import Image
model = keras.models.load_model(sys.argv[1])
probabilities = {}
for path in sys.argv[2:]:
    images = np.asarray(Image.open(path).convert("RGB"))[None]
    p = model.predict(images, verbose=0)
    single = not isinstance(p, dict)
    probabilities[path] = float(p[0, 0]) if single else {k: float(v[0, 0]) for k, v in p.items()}
print(json.dumps([keras.backend.backend(), probabilities]))
"""


@pytest.fixture(scope="module")
def posters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many_sizes(tmp_path_factory.mktemp("sizes") / "posters", 5)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, posters: Path) -> Dataset:
    return build_data(tmp_path_factory.mktemp("built") / "data", posters)


def use(model: Path, files: list[Path], backend: str, folder: Path) -> dict[str, dict[str, float]]:
    """The probabilities that plain Keras gets, in a folder from which ours cannot be imported."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-P", "-c", USER, str(model), *map(str, files)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    assert result.returncode == 0, result.stderr
    used, probabilities = json.loads(result.stdout.splitlines()[-1])
    assert used == backend
    return probabilities  # type: ignore[no-any-return]


@pytest.mark.slow
def test_several_runs_are_named_outputs_of_one_model_on_either_backend(
    tmp_path: Path, built: Dataset, posters: Path
) -> None:
    runs = tmp_path / "runs"
    scratch = Variant(name="scratch", network="scratch", fc1=8, fc2=8, epochs=1)
    late = Variant(name="frozen-17", fc1=16, fc2=8, frozen_layers=17, epochs=1)
    specs = [
        write_model(runs, built, "Comedy"),
        write_model(runs, built, "Drama", variant=late),
        write_model(runs, built, "War", variant=scratch),
    ]
    target = tmp_path / "all.keras"
    names = [spec.run for spec in specs]
    result = postertui("export-model", *names, "-o", target, "--runs", runs, "--json")
    assert result.returncode == 0, result.stderr
    outputs = json.loads(result.stdout)["outputs"]
    assert [o["output"] for o in outputs] == ["Comedy", "Drama", "War"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.keras", "runs"]

    exact = tmp_path / "exact.png"
    with Image.open(image_files(posters)[0]) as image:
        image.resize((built.side, built.side)).save(exact)
    files = [exact, *image_files(posters)]
    words = [w for name in names for w in ("--run", name)]
    ours = postertui("predict", *files, *words, "--runs", runs, "--json")
    assert ours.returncode == 0, ours.stderr
    expected = {
        (row["file"], row["genre"]): row["probability"]
        for row in json.loads(ours.stdout)["predictions"]
    }
    for backend in ("tensorflow", "jax"):
        if find_spec(backend) is None:
            continue
        probabilities = use(target, files, backend, tmp_path)
        differences = {
            (file, genre): abs(probabilities[file][genre] - p)
            for (file, genre), p in expected.items()
        }
        assert len(differences) == 18
        # Without resizing the arithmetic is the same; resizing is the same but for rounding.
        assert max(d for (file, _), d in differences.items() if file == str(exact)) < 1e-5
        assert max(differences.values()) < 0.02


@pytest.mark.slow
def test_one_run_is_a_plain_output(tmp_path: Path, built: Dataset) -> None:
    spec = write_model(tmp_path / "runs", built, "Comedy")
    target = tmp_path / "one.keras"
    target.write_text("an old file")
    result = postertui("export-model", spec.run, "-o", target, "--runs", tmp_path / "runs")
    assert result.returncode == 0, result.stderr
    assert f"Comedy: {spec.run}, threshold 0.500" in result.stdout
    white = tmp_path / "white.png"
    Image.fromarray(np.full((70, 41, 3), 255, np.uint8)).save(white)
    probabilities = use(target, [white], "tensorflow", tmp_path)
    assert 0 <= probabilities[str(white)] <= 1  # type: ignore[operator]


def test_mistakes_leave_nothing_behind(tmp_path: Path, built: Dataset) -> None:
    runs = tmp_path / "runs"
    spec = write_model(runs, built, "Comedy")
    target = tmp_path / "x.keras"
    for words, code, message in (
        ((spec.run, "-o", tmp_path / "x.h5"), 2, "name the file .keras"),
        ((spec.run, "-o", tmp_path / "no" / "x.keras"), 2, "make it first"),
        (("comedy", "-o", target), 3, "no such run with trained weights"),
        ((spec.run, "-o", target, "--data", tmp_path), 2, "name it with --data"),
    ):
        call = ["export-model", *map(str, words), "--runs", str(runs)]
        error = CliRunner().invoke(cli, call, standalone_mode=False).exception
        assert isinstance(error, UserError)
        assert (error.exit_code, message in str(error)) == (code, True), (words, str(error))
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
