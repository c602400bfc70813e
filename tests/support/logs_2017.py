"""Logs as the 2017 scripts wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

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


def log_of(rows: Sequence[Sequence[str]]) -> str:
    """A log of these epochs: loss, accuracy and F of training, then of the test cohort."""
    keys = ("loss", "binary_accuracy", "fscore", "val_loss", "val_binary_accuracy", "val_fscore")
    columns = dict(zip(keys, zip(*rows, strict=True), strict=True))
    lists = (f"'{key}': [{', '.join(values)}]" for key, values in columns.items())
    return "{" + ", ".join(lists).replace("NaN", "nan") + "}\n" + TAIL


def write_logs(folder: Path, *names: str) -> Path:
    """A folder of logs with these names; every one has numbers of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        (folder / name).write_text(log_text(shift=place / 1000))
    return folder
