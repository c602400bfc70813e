"""Keras' `fit` as a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from postertui.runs.store import Store

pytest.importorskip("keras")

FIT = """
import sys, keras, numpy as np, postertui.keras
from postertui.supervisor import requests
keras.utils.set_random_seed(0)
x = np.random.rand(64, 8).astype("float32"); y = (x[:, :1] > .5).astype("float32")
model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
metrics = ["accuracy", keras.metrics.F1Score(threshold=.5), "auc"]
model.compile("adam", "binary_crossentropy", metrics=metrics)
logger = postertui.keras.RunLogger(genre="Comedy", variant="dense", runs=sys.argv[1])
class Cancel(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2 and sys.argv[2] == "cancel":
            requests.cancel(logger.run.folder.parent, [logger.run.name])
model.fit(x, y, validation_split=.25, epochs=5, verbose=0, callbacks=[Cancel(), logger])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "state", "epochs"), [("", "done", 5), ("cancel", "cancelled", 3)])
def test_a_fit_is_a_run(how: str, state: str, epochs: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIT, tmp_path, how], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    store = Store(tmp_path)
    store.refresh()
    [run] = store.runs.values()
    assert (run.state, run.epoch) == (state, epochs)
    assert run.spec is not None
    assert run.spec.variant.epochs == 5
    for column in ("train_loss", "test_loss", "test_accuracy", "test_fscore", "learning_rate"):
        assert run.epochs.has(column), column
    assert run.newest("learning_rate") == pytest.approx(1e-3)
