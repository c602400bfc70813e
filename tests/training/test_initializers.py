"""Initial weights as Keras 2.0 drew them, and what they and the shuffles depend on."""

from __future__ import annotations

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.study import Variant
from postertui.training import initializers, networks
from tests.support.training_data import make_spec


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("shape", [(512, 256), (256, 64), (3, 3, 64, 128)])
def test_he_normal_is_cut_at_two_deviations_and_not_rescaled(shape: tuple[int, ...]) -> None:
    values = np.concatenate([initializers.he_normal(rng(), shape).ravel() for _ in range(4)])
    fan_in = np.prod(shape[:-1])
    # Var of a standard normal cut at ±2 is .773741…, so 2/fan_in becomes 1.547483/fan_in.
    assert values.var() * fan_in == pytest.approx(1.547483, rel=0.02)
    assert np.abs(values).max() <= 2 * np.sqrt(2 / fan_in) * (1 + 1e-6)
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(values.size)


def test_he_normal_has_the_variance_of_the_draw_that_today_needs_a_scale_for() -> None:
    import keras

    today = keras.initializers.VarianceScaling(1.547483, "fan_in", "truncated_normal", seed=3)
    theirs = np.asarray(keras.ops.convert_to_numpy(today((512, 512))))
    ours = initializers.he_normal(rng(), (512, 512))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.01)
    assert np.quantile(ours, 0.9) == pytest.approx(np.quantile(theirs, 0.9), rel=0.02)


def test_glorot_uniform() -> None:
    values = initializers.glorot_uniform(rng(), (300, 100))
    assert values.var() == pytest.approx(2 / 400, rel=0.02)
    assert np.abs(values).max() <= np.sqrt(6 / 400)


def test_a_heads_weights_are_he_he_glorot_and_zero_biases() -> None:
    network = networks.build(Variant(name="base"), 19, (512,), "float32")
    kernel1, bias1, kernel2, bias2, kernel3, bias3 = network.draw_weights((0,), {})
    assert kernel1.var() == pytest.approx(1.547483 / 512, rel=0.03)
    assert kernel2.var() == pytest.approx(1.547483 / 256, rel=0.03)
    assert kernel3.var() == pytest.approx(2 / 257, rel=0.25)
    assert np.abs(kernel3).max() <= np.sqrt(6 / 257)
    assert not any(bias.any() for bias in (bias1, bias2, bias3))


def test_scratch_begins_with_glorot_he_he() -> None:
    variant = Variant(name="s", network="scratch", fc1=64, fc2=32)
    network = networks.build(variant, 1, (48, 48, 3), "float32")
    kernel, _, dense, _, last, _ = network.draw_weights((0,), {})
    assert kernel.shape == (3, 3, 3, 64)
    assert kernel.var() == pytest.approx(2 / (27 + 9 * 64), rel=0.1)
    assert dense.shape == (23 * 23 * 64, 32)
    assert dense.var() == pytest.approx(1.547483 / (23 * 23 * 64), rel=0.03)
    assert last.var() == pytest.approx(1.547483 / 32, rel=0.6)
    assert np.abs(last).max() <= 2 * np.sqrt(2 / 32)


def test_weights_depend_on_the_seed_and_shuffles_on_seed_and_epoch_alone(data: Dataset) -> None:
    network = networks.build(make_spec(data).variant, 19, (512,), "float32")
    again, other = network.draw_weights((0,), {}), network.draw_weights((1,), {})
    for first, second, third in zip(network.draw_weights((0,), {}), again, other, strict=True):
        assert np.array_equal(first, second)
        assert not first.any() or not np.array_equal(first, third)
    orders = [initializers.shuffle((seed,), epoch, 100) for seed, epoch in ((0, 1), (0, 2), (1, 1))]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({order.tobytes() for order in orders}) == 3
    assert np.array_equal(initializers.shuffle((0,), 1, 100), orders[0])
