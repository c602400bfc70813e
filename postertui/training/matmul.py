"""The matrix product in dense and convolution layers, with a gradient that is fast on a CPU."""

from __future__ import annotations

from keras import ops

from postertui.training.backend import Tensor, is_compiled_by_xla, materialize, on_accelerator

#: Elements up to which a transposed copy pays; beyond a core's cache it costs more than it saves.
MAX_COPIED = 2**18

#: Products over more inputs than this are added up in parts of one of these sizes.
MAX_INPUTS = 2**15
PART_SIZES = range(2**12, 2**9, -1)


def matmul(x: Tensor, kernel: Tensor) -> Tensor:
    """x (N, A) times kernel (A, B); for compiled functions only.

    The kernel's gradient is xᵀ times the upstream gradient. On a CPU, XLA multiplies by a small
    transposed factor a quarter slower than by a plain one, and a transposed copy costs a tenth of
    what it saves. For a single column the gradient is a sum over rows, where XLA's reduction is
    ten times faster than its matrix-vector product.
    """
    rows, inputs = x.shape
    if on_accelerator() or rows is None:
        return ops.matmul(x, kernel)
    part = next((size for size in PART_SIZES if inputs % size == 0), 0)
    if inputs > MAX_INPUTS and part and is_compiled_by_xla():
        return _matmul_in_parts(x, kernel, part)
    if rows * inputs > MAX_COPIED:
        return ops.matmul(x, kernel)

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def multiply(x: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
        def gradients(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
            if upstream is None:  # TensorFlow and JAX pass it by position.
                (upstream,) = arguments
            by_x = ops.matmul(upstream, ops.transpose(kernel))
            if kernel.shape[1] == 1:
                return by_x, ops.expand_dims(ops.sum(x * upstream, axis=0), 1)
            (transposed,) = materialize(ops.transpose(x))
            return by_x, ops.matmul(transposed, upstream)

        return ops.matmul(x, kernel), gradients

    return multiply(x, kernel)


def _matmul_in_parts(x: Tensor, kernel: Tensor, size: int) -> Tensor:
    """`matmul` over very many inputs, `size` at a time, which divides them.

    XLA's own product of such factors takes a CPU nearly twice as long.
    """
    rows, inputs = x.shape
    outputs = kernel.shape[1]

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def multiply(x: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
        def add_part(i: Tensor, total: Tensor) -> Tensor:
            part = ops.slice(x, (0, i * size), (rows, size))
            return total + ops.matmul(part, ops.slice(kernel, (i * size, 0), (size, outputs)))

        def gradients(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
            if upstream is None:  # TensorFlow and JAX pass it by position.
                (upstream,) = arguments
            by_x = ops.matmul(upstream, ops.transpose(kernel))
            return by_x, ops.matmul(ops.transpose(x), upstream)

        return ops.fori_loop(
            0, inputs // size, add_part, ops.zeros((rows, outputs), x.dtype)
        ), gradients

    return multiply(x, kernel)
