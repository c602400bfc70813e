"""TensorFlow and JAX train the same: from the same weights, in the same order."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from postertui.data.dataset import Dataset
from postertui.training.trainer import Trainer
from tests.support.training_data import fill_features, make_dataset, make_spec

ROOT = Path(__file__).resolve().parents[2]

#: Two epochs each of a head, VGG16's last layer and the scratch network.
KINDS: dict[str, dict[str, Any]] = {
    "head": {"batch_size": 32, "strength": 1e-4},
    "frozen-17": {"batch_size": 32, "frozen_layers": 17, "learning_rate": 1e-4},
    "scratch": {"batch_size": 32, "network": "scratch"},
}

SCRIPT = """
import json, sys
from pathlib import Path
from tests.training.test_backends import train
print(json.dumps(train(Path(sys.argv[1]), sys.argv[2:])))
"""


def train(folder: Path, kinds: Iterable[str] = KINDS) -> dict[str, list[dict[str, Any]]]:
    """Two epochs of each kind, by whichever backend is in force."""
    data, trainer = Dataset.open(folder), Trainer()
    return {
        kind: [
            {k: v for k, v in epoch.metrics.items() if k != "seconds"}
            for epoch in trainer.epochs(make_spec(data, epochs=2, **KINDS[kind]))
        ]
        for kind in kinds
    }


def train_in_a_process(
    backend: str, folder: Path, kinds: Iterable[str] = KINDS
) -> dict[str, list[dict[str, Any]]]:
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    environment |= {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), *kinds],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is an optional extra")
def test_jax_and_tensorflow_have_the_same_first_epochs(tmp_path: Path) -> None:
    """And TensorFlow in another process the same to the bit."""
    data = make_dataset(
        tmp_path / "data", rows={0: 90, 2: 50}, positives={"Comedy": {0: 40, 2: 20}}, side=32
    )
    fill_features(data)
    fill_features(data, 17)
    ours, theirs = train(data.path), train_in_a_process("jax", data.path)
    for kind in KINDS:
        for tensorflow, jax in zip(ours[kind], theirs[kind], strict=True):
            assert tensorflow.keys() == jax.keys()
            for name, value in tensorflow.items():
                if value is None:
                    assert jax[name] is None, (kind, name)
                    continue
                assert jax[name] == pytest.approx(value, rel=2e-3, abs=0.02), (kind, name)
            for name in ("train_loss", "test_loss", "train_fscore", "test_fscore_soft"):
                assert jax[name] == pytest.approx(tensorflow[name], rel=1e-3), (kind, name)
    again = train_in_a_process("tensorflow", data.path, ["head"])
    assert json.dumps(again["head"]) == json.dumps(ours["head"])
