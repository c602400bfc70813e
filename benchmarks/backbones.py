"""Features of frozen backbones against Keras' own `predict`.

    python -m benchmarks.backbones [NAME…]

Every network of `keras.applications`, or those named, with fixed random weights and posters of
noise: how far a feature is off, and how far posters are apart, in shares of the largest feature.
The largest networks take minutes and gigabytes.
"""

from __future__ import annotations

import argparse
import sys
import time

import keras
import numpy as np

from postertui.data.weights import Weights
from postertui.training import backbones
from postertui.training.features import feature_extractor

POSTERS = 4
LIMIT = 1e-5


def differences(name: str, side: int) -> tuple[float, float]:
    """The largest difference of a feature from Keras' own, and between posters.

    Both are divided by the largest feature.
    """
    weights = Weights("random", "r" * 32)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (POSTERS, side, side, 3), np.uint8)
    first = len(backbones.skeleton(name, side, imagenet=False).layers)
    features = feature_extractor(side, first, weights, POSTERS, name)(images)
    network = backbones.build(name, side, weights)
    own = sys.modules[backbones.find(name).__module__].preprocess_input
    outputs = network.predict(own(images.astype(np.float32)), verbose=0)
    expected = outputs.mean(axis=(1, 2))
    largest = max(float(np.abs(expected).max()), 1e-30)
    off = float(np.abs(features - expected).max()) / largest
    return off, float(np.ptp(expected, axis=0).max()) / largest


def main() -> int:
    """A line for each network; 1 where any differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backbones", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="all by default")
    worst = 0.0
    for name in parser.parse_args().names or sorted(backbones.registry()):
        began = time.process_time()
        side = max(backbones.least_side(name), 96)
        off, spread = differences(name, side)
        worst = max(worst, off)
        seconds = time.process_time() - began
        print(
            f"{name:18} {side:4} pixels  off {off:.1e}  spread {spread:.2f}  {seconds:5.1f} CPU-s",
            flush=True,
        )
        keras.utils.clear_session()
    return int(not worst <= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
