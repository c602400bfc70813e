"""Losses and regularizers of the user's own, as parts of the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from postertui.study import Variant
from postertui.training.backend import Tensor, to_device, to_host, value_and_grad
from postertui.training.custom import CustomFunctions, Function, describe_shape
from postertui.training.initializers import Array


def penalty_of(regularizer: Function, values: Tensor, variant: Variant) -> Tensor:
    """The sum of what `regularizer` makes of `values`."""
    result = _floating(regularizer, regularizer(values, variant), values.dtype)
    return ops.sum(result)


def mean_loss(loss: Function, y: Tensor, p: Tensor, present: Tensor, variant: Variant) -> Tensor:
    """The batch's loss: the mean of a loss per row over the rows that are `present`."""
    result = _floating(loss, loss(y, p, present, variant), p.dtype)
    shape = tuple(result.shape)
    if shape == ():
        return result
    rows = y.shape[0]
    if shape not in ((rows,), (rows, 1)):
        raise loss.error(
            f"returns a tensor {describe_shape(result)}, neither a loss per row, ({rows},) or "
            f"({rows}, 1), nor one of the batch, ()"
        )
    # Where, not a product: padding may have made a NaN.
    weighted = ops.where(present > 0, ops.reshape(result, (rows, 1)), ops.zeros_like(present))
    return ops.sum(weighted) / ops.sum(present)


def _floating(function: Function, result: Any, dtype: str) -> Tensor:
    if result is None:
        raise function.error("returns nothing")
    with function.responsible():
        return ops.cast(ops.convert_to_tensor(result), dtype)


def add_custom_loss(
    custom: CustomFunctions,
    sums: Tensor,
    p: Tensor,
    activities: Sequence[Tensor],
    y: Tensor,
    present: Tensor,
    kernels: Sequence[Tensor],
    strengths: tuple[Tensor, Tensor],
    layer_penalties: Sequence[Tensor],
) -> Tensor:
    """A batch's `sums` of one genre (see `objective.SUMS`) with what the user's functions add.

    Their loss takes the place of the cross-entropy.

    Parameters
    ----------
    custom
        The user's functions.
    sums : (len(SUMS), 1)
        As `objective.batch_sums` makes them, of one genre.
    p, y, present : (B, 1)
        Probabilities, labels of 0 and 1, and 1 for real rows, 0 for padding.
    activities
        The activations that are penalised, each (B, …).
    kernels
        Those of all layers but the last.
    strengths : (), ()
        λ of the activity's and of the kernels' regularizer.
    layer_penalties : ()
        Those of regularizers of the user's own layers.
    """
    variant, parts = custom.variant, list(ops.unstack(sums))
    parts[6] = sum(layer_penalties, parts[6])
    if custom.loss is not None:
        parts[5] = mean_loss(custom.loss, y, p, present, variant) * ops.sum(present)
    if custom.regularizer is not None:
        for activity in activities:
            mask = ops.reshape(present, (-1, *[1] * (len(activity.shape) - 1)))
            values = ops.where(mask > 0, activity, ops.zeros_like(activity))
            parts[6] += strengths[0] * penalty_of(custom.regularizer, values, variant)
    if custom.kernel_regularizer is not None:
        for kernel in kernels:
            penalty = penalty_of(custom.kernel_regularizer, kernel, variant)
            parts[6] += strengths[1] * penalty
    return ops.stack([ops.reshape(part, (1,)) for part in parts])


def check_loss(custom: CustomFunctions, batch: int, dtype: str) -> None:
    """Raise `UserError` for a loss that cannot be used, tried on a batch of random numbers."""
    if custom.loss is None:
        return
    loss, rng = custom.loss, np.random.default_rng(0)
    p = to_device(rng.uniform(0.1, 0.9, (batch, 1)).astype(dtype))
    y = to_device((np.arange(batch)[:, None] % 2).astype(dtype))
    present = ops.ones_like(p)

    def objective(weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        value = mean_loss(loss, y, weights[0], present, custom.variant)
        return value, value

    _, (gradient,) = value_and_grad(objective, (p,))
    if gradient is None or not to_host(gradient).any():
        raise loss.error("has no gradient: it does not change with p, or in steps only")


def check_finite(
    custom: CustomFunctions, names: Sequence[str], sums: Array, epoch: int, mode: str
) -> None:
    """Raise `UserError` for the first batch of an epoch whose sums are not numbers.

    `sums` (S, len(names)). As published, an undefined F-score may end a model; nothing else may.
    """
    columns = {name: ~np.isfinite(sums[:, i]) for i, name in enumerate(names)}
    undefined = columns["soft_yes"] | columns["penalty"]
    if custom.loss is not None:
        undefined |= columns["cross_entropy"]
    elif mode == "published":
        return
    if not undefined.any():
        return
    batch = int(undefined.argmax())
    if columns["soft_yes"][batch]:
        culprits = [custom.loss, custom.regularizer, custom.kernel_regularizer, custom.network]
        if batch == 0 and epoch == 1:
            culprits.reverse()
        problem = "gave weights that are not numbers before"
    elif columns["penalty"][batch]:
        culprits = [custom.regularizer, custom.kernel_regularizer, custom.network, custom.loss]
        problem = "gave a penalty that is not a number in"
    else:
        culprits, problem = [custom.loss], "was not a number in"
    function = next(each for each in culprits if each is not None)
    raise function.error(f"{problem} batch {batch + 1} of epoch {epoch} (NaN or infinite)")
