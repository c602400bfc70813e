"""Compilation and gradients on either backend of Keras, TensorFlow or JAX.

Keras 3 has one name for nearly every operation, but none for these two. Nothing else in the loop
depends on the backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from postertui.training import compile_cache
from postertui.training.environment import threads

#: A tensor of whichever backend, or a nest of tuples of them.
Tensor = Any

NAME: str = keras.backend.backend()

if NAME == "tensorflow":
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads())
        tf.config.threading.set_inter_op_parallelism_threads(threads())
    except RuntimeError:  # TensorFlow is initialised already; its thread count is fixed.
        pass

    #: The functions that are being traced without XLA, whose operations TensorFlow has not there.
    _traces_without_xla: list[object] = []

    def jit(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`function` compiled by XLA, once per shape of its arguments."""
        compiled = tf.function(function, jit_compile=True, autograph=False)

        def call(*arguments: Tensor) -> Tensor:
            nonlocal compiled
            try:
                return compiled(*arguments)
            except tf.errors.OpError:
                # Perhaps of the cache; what comes from the function itself is raised again.
                if not compile_cache.abandon():
                    raise
                # TensorFlow remembers that it could not compile the other one.
                compiled = tf.function(function, jit_compile=True, autograph=False)
                return compiled(*arguments)

        return call

    def graph(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`function` compiled without XLA, convolutions at full speed."""

        def traced(*arguments: Tensor) -> Tensor:
            _traces_without_xla.append(function)
            try:
                return function(*arguments)
            finally:
                _traces_without_xla.pop()

        return tf.function(traced, autograph=False)  # type: ignore[no-any-return]

    def value_and_grad(
        function: Callable[[Tensor], tuple[Tensor, Tensor]], weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The auxiliary output of `function(weights)`, and the gradient of its value."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            value, aux = function(weights)
        # As JAX: weights that the value does not depend on have a gradient of zero.
        zero = tf.UnconnectedGradients.ZERO
        return aux, tuple(tape.gradient(value, weights, unconnected_gradients=zero))

    def is_compiled_by_xla() -> bool:
        """Whether the function that is being traced is for XLA."""
        return not _traces_without_xla

    def materialize(*tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors, laid out in memory before anything that uses them.

        Without it XLA may recompute them in each use, or fold a transposition into a product.
        Has no gradient; for compiled functions only.
        """
        if not is_compiled_by_xla():
            return tensors
        return tuple(xla.optimization_barrier(*tensors))

    def devices() -> list[str]:
        """The accelerators that the backend sees."""
        return [d.name for d in tf.config.list_physical_devices("GPU")]

elif NAME == "jax":
    import jax

    def jit(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`function` compiled by XLA, once per shape of its arguments."""
        compiled: Callable[..., Tensor] = jax.jit(function)
        return compiled

    graph = jit

    def value_and_grad(
        function: Callable[[Tensor], tuple[Tensor, Tensor]], weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The auxiliary output of `function(weights)`, and the gradient of its value."""
        (_, aux), gradient = jax.value_and_grad(function, has_aux=True)(weights)
        return aux, gradient

    def is_compiled_by_xla() -> bool:
        """Whether the function that is being traced is for XLA."""
        return True

    def materialize(*tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors, laid out in memory before anything that uses them.

        Without it XLA may recompute them in each use, or fold a transposition into a product.
        Has no gradient; for compiled functions only.
        """
        laid_out: tuple[Tensor, ...] = jax.lax.optimization_barrier(tensors)  # type: ignore[no-untyped-call]
        return laid_out

    def devices() -> list[str]:
        """The accelerators that the backend sees."""
        return [str(d) for d in jax.devices() if d.platform != "cpu"]

else:
    raise ImportError(f"KERAS_BACKEND={NAME}: postertui trains on tensorflow or jax")


def to_device(array: NDArray[Any]) -> Tensor:
    """The array as a tensor of its own dtype."""
    # Not `ascontiguousarray`, which makes vectors of scalars; JAX takes no gradient of those.
    return keras.ops.convert_to_tensor(np.asarray(array, order="C"))


def to_host(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array."""
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def on_accelerator() -> bool:
    """Whether tensors live on something other than the CPU."""
    return bool(devices())
