"""Which training rows an epoch shows, in which order: shuffling, mirror images, balance.

Where a variant shows mirror images, inputs of n posters have 2n rows: row n + i is the mirror
image of row i.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from postertui.study import Variant
from postertui.training.initializers import epoch_rng, shuffle

Rows = NDArray[np.int32]


def epoch_order(
    variant: Variant, entropy: Sequence[int], epoch: int, labels: NDArray[np.uint8]
) -> Rows:
    """The rows of an epoch, shuffled.

    Parameters
    ----------
    entropy
        `RunSpec.entropy`.
    labels
        0 or 1 for each poster (n,), without mirror images.
    """
    count = len(labels)
    if variant.balance == "none" and not variant.needs_mirrored:
        return shuffle(entropy, epoch, count)
    rng = epoch_rng(entropy, epoch)
    rows = np.arange(count, dtype=np.int32)
    if variant.balance in ("oversample", "undersample"):
        rows = _balanced(rng, labels, repeat=variant.balance == "oversample")
    if variant.augment == "mirror":
        rows = rows + count * rng.integers(0, 2, len(rows), dtype=np.int32)
    elif variant.augment == "mirror-both":
        rows = np.concatenate([rows, rows + count])
    elif variant.balance == "mirror-positives":
        rows = np.concatenate([rows, np.flatnonzero(labels) + count])
    return rng.permutation(rows).astype(np.int32)


def _balanced(rng: np.random.Generator, labels: NDArray[np.uint8], *, repeat: bool) -> Rows:
    """As many positives as negatives: the rarer repeated, or the others drawn from."""
    groups = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    sizes = [len(group) for group in groups]
    size = max(sizes) if repeat else min(sizes)
    return np.concatenate([_draw(rng, group, size) for group in groups]).astype(np.int32)


def _draw(rng: np.random.Generator, group: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """`size` of the group's rows: each as often as any other, give or take one."""
    whole, rest = divmod(size, len(group))
    return np.concatenate([np.tile(group, whole), rng.permutation(group)[:rest]])
