"""Real training by the real command: what goes wrong with one run stays with that run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from postertui.data.dataset import Dataset
from postertui.system.locks import is_held
from postertui.training.features import FeatureCache
from tests.support.training_data import RANDOM

STUDY = """
mode = "published"
rarity = 0
[base]
fc1 = 8
fc2 = 4
batch_size = 32
epochs = 2
"""


def events_of(runs: Path, genre: str) -> list[dict[str, Any]]:
    [path] = runs.glob(f"{genre}--*/events.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def newest(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return [event for event in events if event["event"] == kind][-1]


@pytest.mark.slow
def test_bad_runs_end_by_themselves_and_the_others_go_on(data: Dataset, tmp_path: Path) -> None:
    """A genre without a positive, one that dies, a truncated cache, and one that is well."""
    runs, study = tmp_path / "runs", tmp_path / "mine.toml"
    study.write_text(STUDY)
    shutil.copytree(data.path, tmp_path / "data")
    data = Dataset.open(tmp_path / "data")
    features = FeatureCache(data, RANDOM, 19).folder / "2.npy"
    features.write_bytes(features.read_bytes()[:-64])
    command = [sys.executable, "-m", "postertui", "train", "--study", str(study)]
    command += ["--variant", "base", "--weights", "random", "--jobs", "1"]
    for genre in ("Nothing", "Rare", "Comedy"):
        command += ["--genre", genre]
    done = subprocess.run(
        [*command, "--data", str(data.path), "--runs", str(runs)],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    deadline = time.monotonic() + 120
    while is_held(runs / ".supervisor.lock"):  # it leaves once there is no more work
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr

    failed = newest(events_of(runs, "nothing"), "end")
    assert failed["status"] == "failed"
    assert failed["reason"].startswith("Nothing: no positive poster in training (cohorts 0)")

    dead = events_of(runs, "rare")
    assert newest(dead, "end")["status"] == "done"
    epochs = [event for event in dead if event["event"] == "epoch"]
    assert [epoch["dead"] for epoch in epochs] == [True, True]
    for epoch in epochs:
        assert epoch["test_accuracy"] == 0
        assert epoch["test_fscore"] is None
        assert "test_fscore" in epoch["nonfinite"]

    comedy = events_of(runs, "comedy")
    assert newest(comedy, "end")["status"] == "done"
    assert newest(comedy, "epoch")["dead"] is False
    logs = "".join(path.read_text() for path in runs.glob("*/log.txt"))
    assert "2.npy is incomplete; it is computed again" in logs
    # What a person reads who follows a run by its log.
    [log] = [path.read_text() for path in runs.glob("comedy--*/log.txt")]
    epoch_lines = [line for line in log.splitlines() if line.startswith("epoch ")]
    [*_, last] = [event for event in comedy if event["event"] == "epoch"]
    assert [line.split()[1] for line in epoch_lines] == ["1/2", "2/2"]
    assert f"test loss {last['test_loss']:.4f} F {last['test_fscore_soft']:.4f}" in epoch_lines[1]
    assert "attempt 1 on cpu: Comedy, base, seed 0, from epoch 1 of 2" in log
    assert log.endswith(" done\n")
    [log] = [path.read_text() for path in runs.glob("nothing--*/log.txt")]
    assert "failed: Nothing: no positive poster in training" in log.splitlines()[-1]
    [log] = [path.read_text() for path in runs.glob("rare--*/log.txt")]
    assert log.count("dead: its weights are NaN\n") == 2
