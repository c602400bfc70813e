"""The product inside every layer against NumPy's, values and gradients, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from postertui.training import matmul as product
from postertui.training.backend import jit, to_device, to_host, value_and_grad


@pytest.mark.parametrize("inputs", [3, 12, 13])
@pytest.mark.parametrize("columns", [1, 2, 5])
def test_a_product_and_its_gradients_are_those_of_a_matrix_product(
    columns: int, inputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few inputs, of many, which are added up in parts, and of many that no part divides."""
    monkeypatch.setattr(product, "MAX_INPUTS", 10)
    monkeypatch.setattr(product, "PART_SIZES", range(5, 2, -1))
    rng = np.random.default_rng(columns)
    x, kernel = rng.standard_normal((7, inputs)), rng.standard_normal((inputs, columns))
    factors = rng.standard_normal((7, columns))

    def mixture(arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        out = product.matmul(*arguments)
        return ops.sum(out * to_device(factors)), out

    compiled = jit(lambda *arguments: value_and_grad(mixture, arguments))
    out, (by_x, by_kernel) = compiled(to_device(x), to_device(kernel))
    np.testing.assert_allclose(to_host(out), x @ kernel, atol=1e-14)
    np.testing.assert_allclose(to_host(by_x), factors @ kernel.T, atol=1e-14)
    np.testing.assert_allclose(to_host(by_kernel), x.T @ factors, atol=1e-14)
