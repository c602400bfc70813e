"""Logs as the 2017 scripts wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the 2017 study's data is not here")

TAIL = (
    "Train conf matrix: 900 15000 5000 100\n"
    "Train p r f: 0.152542 0.900000 0.260870\n"
    "Train conf matrix: 80 1400 600 20\n"
    "Train p r f: 0.117647 0.800000 0.205128\n"
)


def log_text(epochs: int = 3, shift: float = 0.0, tail: str = "\n" + TAIL) -> str:
    """A log whose test F is undefined at epoch 2."""
    lists = {
        key: [round(place / 10 + e / 100 + shift, 4) for e in range(1, epochs + 1)]
        for place, key in enumerate(
            ("loss", "binary_accuracy", "fscore", "val_loss", "val_binary_accuracy", "val_fscore")
        )
    }
    return repr(lists).replace(f"{round(0.52 + shift, 4)}", "nan") + tail


def write_logs(folder: Path, *names: str) -> Path:
    """A folder of logs with these names; every one has numbers of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        (folder / name).write_text(log_text(shift=place / 1000))
    return folder
