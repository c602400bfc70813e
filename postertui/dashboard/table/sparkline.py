"""A curve in one line of block characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int) -> str:
    """`values` in `width` characters, from their own lowest to their highest; gaps are blank.

    More values than characters are averaged, fewer take a character each.
    """
    y = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    if not np.isfinite(y).any() or width < 1:
        return " " * width
    parts = np.array_split(y, width) if len(y) > width else [y[i : i + 1] for i in range(len(y))]
    means = [float(np.nanmean(p)) if np.isfinite(p).any() else np.nan for p in parts]
    low, high = np.nanmin(means), np.nanmax(means)
    steps = len(_BLOCKS) - 1
    scaled = [(m - low) / (high - low) if high > low else 0.5 for m in means]
    text = "".join(" " if np.isnan(s) else _BLOCKS[round(s * steps)] for s in scaled)
    return text.ljust(width)
