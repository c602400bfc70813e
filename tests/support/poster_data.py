"""A data folder that is just enough for `postertui train` with the cheap trainer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from postertui.data.description import CohortInfo, DatasetInfo

GENRES = ("Comedy", "Drama", "raise", "hang")


def make_data(folder: Path) -> Path:
    """Cohorts 0 and 2 of eight posters of 4 by 4 pixels; every genre has half of them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    cohorts = {}
    for digit in ("0", "2"):
        np.save(folder / f"images-{digit}.npy", rng.integers(0, 255, (8, 4, 4, 3), np.uint8))
        labels = np.tile([[0], [1]], (4, len(GENRES))).astype(np.uint8)
        np.save(folder / f"labels-{digit}.npy", labels)
        np.save(folder / f"ids-{digit}.npy", np.arange(8, dtype=np.int64) * 10 + int(digit))
        cohorts[digit] = CohortInfo(posters=8, rows=8, images_digest=digit * 8)
    info = DatasetInfo(genres=GENRES, side=4, cohorts=cohorts, fingerprint="f" * 8)
    (folder / "dataset.json").write_bytes(msgspec.json.encode(info))
    return folder
