"""Heads of one shape trained at once have the histories that they have alone (JAX)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.data.dataset import Dataset

PROGRAM = """
import sys
from pathlib import Path
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from tests.support.stacked_heads import train_together
from postertui.data.dataset import Dataset
from postertui.training.checkpoint import load_checkpoint
from postertui.training.trainer import Trainer
from tests.support.training_data import make_spec

data = Dataset.open(Path(sys.argv[1]))
specs = [
    make_spec(data, genre, epochs=2, batch_size=64, **more)
    for genre, more in (
        ("Comedy", {}),
        ("Comedy", {"seed": 1, "strength": 0.01}),
        ("Drama", {"regularizer": "l2", "strength": 1e-3}),
        ("Drama", {"regularizer": "none", "strength": 0.0, "learning_rate": 0.01}),
        ("Rare", {"mode": "sound"}),
    )
]
state, history = train_together(data, specs, "float64")
trainer = Trainer(dtype="float64")
for number, spec in enumerate(specs):
    *_, last = trainer.epochs(spec)
    last.save(Path(sys.argv[2]))
    alone = load_checkpoint(Path(sys.argv[2]), spec.digest)
    for together, own in zip(state.weights, alone.weights, strict=True):
        np.testing.assert_allclose(np.asarray(together)[number], own, rtol=1e-9, atol=1e-9)
print("equal")
"""


@pytest.mark.slow
def test_weights_together_equal_those_alone(data: Dataset, tmp_path: Path) -> None:
    """In double precision, where only real differences are left."""
    pytest.importorskip("jax")
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(data.path), str(tmp_path / "checkpoint")],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "equal", result.stderr[-2000:]
