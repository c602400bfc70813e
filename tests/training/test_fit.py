"""A whole epoch of Keras' own `fit` against ours, in float64.

Keras 3 divides an activity regularizer by the batch's size, so its λ is ours times the batch's
size, which is exact where all batches have one size. Its Adam has ε 1e-7 unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
from keras import ops

from postertui.study import Variant
from postertui.training.epoch_schedule import class_weights
from tests.support.xla_passes import FEATURES, Small, posters

#: Exact in float32, in which Keras keeps a learning rate and a regularizer's λ.
RATE = 2.0**-10
STRENGTH = 2.0**-13


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Keras computes losses in its default type, whatever the model's is."""
    usual = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(usual)


def soft_f_loss(y: keras.KerasTensor, p: keras.KerasTensor) -> keras.KerasTensor:
    """As the script of 2017 had it: a scalar for the batch."""
    tp = ops.sum(ops.minimum(p, y))
    precision = tp / (tp + ops.sum(ops.maximum(p - y, 0)) + 1e-10)
    recall = tp / (tp + ops.sum(ops.maximum(y - p, 0)) + 1e-10)
    return 1 - 2 * precision * recall / (precision + recall)


def keras_model(variant: Variant, weights: list[np.ndarray]) -> keras.Model:
    strength = variant.strength * variant.batch_size
    model = keras.Sequential(
        [
            keras.Input((FEATURES,), dtype="float64"),
            keras.layers.Dense(variant.fc1, "relu", dtype="float64"),
            keras.layers.Dense(
                variant.fc2,
                "relu",
                activity_regularizer=keras.regularizers.L1(strength),
                dtype="float64",
            ),
            keras.layers.Dense(1, "sigmoid", dtype="float64"),
        ]
    )
    model.set_weights(weights)
    optimizer = keras.optimizers.Adam(RATE, epsilon=1e-8)
    # As plain floats Keras would round them to float32 on their way to float64.
    optimizer.beta_1, optimizer.beta_2 = np.float64(0.9), np.float64(0.999)
    model.compile(
        optimizer,
        loss=soft_f_loss if variant.loss == "fscore" else "binary_crossentropy",
    )
    return model


@pytest.mark.parametrize("loss", ["fscore", "bce"])
def test_an_epoch_of_fit_is_an_epoch_of_ours(loss: str) -> None:
    variant = Variant(
        name="v",
        fc1=16,
        fc2=8,
        batch_size=32,
        strength=STRENGTH,
        loss=loss,
    )
    x, y = posters(256)
    small = Small(variant, "published")
    order = small.order(1, len(y))
    positive, negative = class_weights(y)
    model = keras_model(variant, small.initial)
    model.fit(
        x[order],
        y[order][:, None].astype(np.float64),
        batch_size=32,
        epochs=1,
        shuffle=False,
        # What `class_weight` becomes, but not rounded to float32.
        sample_weight=np.where(y[order] == 1, positive, negative),
        verbose=0,
    )
    small.epoch(1, x, y, RATE)
    for ours, theirs in zip(small.weights, model.get_weights(), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-12
