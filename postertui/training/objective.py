"""The objective and the sums of a batch, as `keras.ops`.

With p in [0,1], y in {0,1}, TP = Σyp, precision P = TP/(Σp+ε), recall R = TP/(Σy+ε) and ε = 1e-10,
the soft F-score is 2PR/(P+R). Divided out, that is 2TP/(Σp+Σy+2ε) wherever TP > 0, and 0/0 else.
The training loss of a batch in 2017 was

    (1 - F) · w + λ · Σ|h|      (or Σh²),    h = output of the second dense layer

with w the batch's mean class weight, and the activity term a sum over the batch, not a mean.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from keras import ops

from postertui.runs.spec import RunSpec
from postertui.training.backend import Tensor, to_device
from postertui.training.epoch_schedule import Scalars

#: Added to both denominators in 2017.
EPSILON = 1e-10

#: Keras clips probabilities to this and to one minus this before it takes their logarithm.
CLIP = 1e-7


class HyperScalars(NamedTuple):
    """What differs between runs of one compiled shape, as scalars on the device.

    `l1`, `l2`: λ of Σ|h| and of Σh²; `l1` also of a regularizer of the user's. `positive`,
    `negative`: cross-entropy's class weights. `published`: 1 where F is undefined (0/0) without
    true positives, 0 where it is so only without positives. `kernel`: λ of the kernel regularizer.
    For R genres that are trained together, `positive` and `negative` are (R,).
    """

    l1: Tensor
    l2: Tensor
    positive: Tensor
    negative: Tensor
    published: Tensor
    kernel: Tensor


def hyper_scalars(spec: RunSpec, weights: tuple[Scalars, Scalars], dtype: str) -> HyperScalars:
    """The run's scalars, on the device. `weights` are the class weights, ones in evaluation."""
    variant = spec.variant
    values = (
        0.0 if variant.regularizer in ("none", "l2") else variant.strength,
        variant.strength if variant.regularizer == "l2" else 0.0,
        *weights,
        1.0 if spec.mode == "published" else 0.0,
        variant.kernel_strength,
    )
    return HyperScalars(*(to_device(np.asarray(value, dtype)) for value in values))


#: The columns of a batch's sums, in order.
SUMS = ("soft_tp", "soft_yes", "hard_tp", "hard_yes", "hard_no", "cross_entropy", "penalty")


def batch_sums(
    p: Tensor, activities: tuple[Tensor, ...], y: Tensor, present: Tensor, hyper: HyperScalars
) -> Tensor:
    """A batch's sums (len(SUMS), R) for R genres: all that loss and metrics need.

    Parameters
    ----------
    p, y : (B, R)
        Probabilities, and labels of 0 and 1. A NaN is decided neither way.
    activities
        Penalised activations, each (B, units), or (B, R, units) where each genre has its own.
    present : (B, 1)
        1 for real rows, 0 for the padding of the last batch.
    """
    yes = present * ops.cast(p > 0.5, p.dtype)
    no = present * ops.cast(p <= 0.5, p.dtype)
    clipped = ops.clip(p, CLIP, 1 - CLIP)
    cross_entropy = -(
        hyper.positive * y * ops.log(clipped) + hyper.negative * (1 - y) * ops.log(1 - clipped)
    )
    penalty = sum(penalty_sum(h, present, hyper) for h in activities)
    if not activities:
        penalty = ops.zeros((), p.dtype)
    return ops.stack(
        [
            ops.sum(present * y * p, axis=0),
            ops.sum(present * p, axis=0),
            ops.sum(yes * y, axis=0),
            ops.sum(yes, axis=0),
            ops.sum(no, axis=0),
            ops.sum(present * cross_entropy, axis=0),
            ops.broadcast_to(penalty, p.shape[1:]),
        ]
    )


def penalty_sum(h: Tensor, present: Tensor, hyper: HyperScalars) -> Tensor:
    """λ · Σ|h| or λ · Σh² over the rows of h (B, units) that are `present`; (R,) of (B, R, units).

    Summed by columns, then across them as a product with ones: XLA would merge two sums into one
    over both axes, which takes a CPU ten times as long.
    """
    present = ops.reshape(present, (-1, *[1] * (len(h.shape) - 1)))
    columns = ops.sum(present * (hyper.l1 * ops.abs(h) + hyper.l2 * ops.square(h)), axis=0)
    return ops.dot(columns, ops.ones((h.shape[-1],), h.dtype))


def kernel_penalty(kernels: list[Tensor], kind: str, hyper: HyperScalars) -> Tensor:
    """λ · Σ|w| or λ · Σw² over `kernels`; (R,) where one is (R, …), a kernel for each genre."""
    magnitude = ops.abs if kind == "l1" else ops.square
    return hyper.kernel * sum(ops.sum(magnitude(kernel), axis=(-2, -1)) for kernel in kernels)


def add_penalty(sums: Tensor, penalty: Tensor) -> Tensor:
    """A batch's `sums` with `penalty` added to theirs, the last of them."""
    return ops.concatenate([sums[:-1], ops.expand_dims(sums[-1] + penalty, 0)])


def fscore_loss(sums: Tensor, positives: Tensor, weight: Tensor, hyper: HyperScalars) -> Tensor:
    """Each genre's (1 - F) · weight + penalty, (R,).

    Where F is undefined it is NaN, gradient and all, in mode `published`; in mode `sound` it is 0,
    so that of genres that are trained together those without a positive in the batch change
    nothing.

    Parameters
    ----------
    sums : (len(SUMS), R)
        Of a batch, for R genres.
    positives, weight : (R,)
        The batch's positives and its mean class weight.
    """
    tp, yes, penalty = sums[0], sums[1], sums[6]
    fscore = 2 * tp / (yes + positives + 2 * EPSILON)
    defined = tp + (1 - hyper.published) > 0
    one = ops.ones_like(fscore)
    loss = (1 - fscore * ops.where(defined, one, one * float("nan"))) * weight + penalty
    return ops.where(positives + hyper.published > 0, loss, ops.zeros_like(loss))


def cross_entropy_loss(sums: Tensor, size: Tensor) -> Tensor:
    """Each genre's cross-entropy with class weights, or a loss of the user's, + penalty.

    It is the mean over the batch's `size` rows.
    """
    return sums[5] / size + sums[6]
