"""Resizing in a Keras model gives Pillow's pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def resize() -> Any:
    import keras

    from postertui.training.pillow_resize import resize_as_pillow

    images = keras.Input((None, None, 3), dtype="uint8")
    return keras.Model(images, resize_as_pillow(images, 48))


@pytest.mark.parametrize(
    ("width", "height"),
    [(92, 130), (92, 137), (92, 166), (200, 100), (48, 48), (48, 90), (30, 20), (150, 301)],
)
def test_pixels_are_pillows(resize: Any, width: int, height: int) -> None:
    """Black and white noise, where kernels ring most; either axis first, also enlarging."""
    rng = np.random.default_rng(width + height)
    noise = (rng.random((height, width, 3)) < 0.5).astype(np.uint8) * 255
    expected = np.asarray(Image.fromarray(noise).resize((48, 48), Image.Resampling.LANCZOS))
    resized = np.asarray(resize(noise[None]))[0]
    difference = np.abs(resized - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.01
