"""Small history tables as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

HEADER = ("Regularizer", "FC1", "FC2", "genre", "variant", "epoch", "train_loss", "test_fscore")
ROWS = (
    ("L1=1e-5", "256", "256", "Comedy", "base", "1", "0.5", "0.25"),
    ("L1=1e-5", "256", "256", "Comedy", "base", "2", "0.25", "NaN"),
    ("L1=0e", "256", "256", "Drama", "regularizer L1", "1", "1e-3", "0.1"),
)


def write(path: Path, *rows: Sequence[str], separator: str = "\t", end: str = "\n") -> Path:
    """`rows`, the first of which is the header, as bytes in UTF-8."""
    text = "".join(separator.join(row) + end for row in rows)
    path.write_bytes(text.encode())
    return path
