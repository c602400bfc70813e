"""The matrix product inside every layer, with a gradient that is fast on a CPU."""

from __future__ import annotations

from keras import ops

from postertui.training.backend import Tensor, materialize, on_accelerator

#: Elements up to which a transposed copy pays; beyond a core's cache it costs more than it saves.
COPIED = 2**18


def product(x: Tensor, kernel: Tensor) -> Tensor:
    """x (N, A) times kernel (A, B), inside compiled functions alone.

    The kernel's gradient is xᵀ times what comes back, and XLA multiplies a small transposed factor
    on a CPU a quarter slower than a plain one. So it gets a transposed copy, which costs a tenth
    of what it saves. For a single column it is a sum over the rows, which XLA's loop over the rows
    of a matrix times a vector does ten times slower than its reduction.
    """
    rows, inputs = x.shape
    if on_accelerator() or rows is None or rows * inputs > COPIED:
        return ops.matmul(x, kernel)

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def multiply(x: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
        def gradients(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
            if upstream is None:  # TensorFlow and JAX hand it over by place, others by name.
                (upstream,) = arguments
            by_x = ops.matmul(upstream, ops.transpose(kernel))
            if kernel.shape[1] == 1:
                return by_x, ops.expand_dims(ops.sum(x * upstream, axis=0), 1)
            (transposed,) = materialize(ops.transpose(x))
            return by_x, ops.matmul(transposed, upstream)

        return ops.matmul(x, kernel), gradients

    return multiply(x, kernel)
