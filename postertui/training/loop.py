"""The epoch loop: everything that happens to a network while it trains, for every network.

An epoch is one pass over shuffled batches that updates the weights, then one pass without updates
over each held-out cohort. Each kind of pass is one compiled function with a loop over the batches
inside, so that Python is called once a pass and not once a batch. What differs between runs
(labels, λ, learning rates, class weights, shuffles) is an argument: one compilation per shape
serves every genre, seed and regularizer.

Both return a handful of sums per batch, from which `metrics` computes F-scores, losses and
accuracies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from postertui.study import Variant
from postertui.study.custom import is_custom
from postertui.training.backend import (
    Tensor,
    graph,
    jit,
    to_device,
    value_and_grad,
)
from postertui.training.custom_loss import add_custom_loss
from postertui.training.epoch_schedule import EpochSchedule
from postertui.training.objective import (
    SUMS,
    HyperScalars,
    add_penalty,
    batch_sums,
    cross_entropy_loss,
    fscore_loss,
    kernel_penalty,
)
from postertui.training.optimizers import make_step
from postertui.training.trainable_network import Network


class State(NamedTuple):
    """A network's weights and Adam's two moments of each, in the order of the model's weights."""

    weights: tuple[Tensor, ...]
    m: tuple[Tensor, ...]
    v: tuple[Tensor, ...]


class Cohort(NamedTuple):
    """Inputs and labels of a cohort.

    Parameters
    ----------
    x
        (n, …) inputs; integers are pixels of 0 to 255.
    y
        (n, R) labels of 0 and 1 for R genres, which is one unless they are trained together.
    """

    x: Tensor
    y: Tensor


class Batches(NamedTuple):
    """An `EpochSchedule` on the device: S batches of B rows.

    `rows` (S, B), of which those after the first `size` (S,) are padding; `positives` (S,);
    `weight` (S,), the mean class weight; `step_size` (S,), the optimizer's step; `decay` (S,), the
    share by which weights decay; `seed` (S, 2), of the dropout; `update` (S,), whether to change
    the weights. Evaluation uses only the first three. For genres that are trained together,
    `positives` and `weight` are (S, R).
    """

    rows: Tensor
    size: Tensor
    positives: Tensor
    weight: Tensor
    step_size: Tensor
    decay: Tensor
    seed: Tensor
    update: Tensor


def to_batches(schedule: EpochSchedule, dtype: str) -> Batches:
    """The schedule on the device, its fractions as `dtype`."""
    columns = {name: getattr(schedule, name) for name in Batches._fields}
    for name in ("size", "positives", "weight", "step_size", "decay"):
        columns[name] = columns[name].astype(dtype)
    return Batches(**{name: to_device(values) for name, values in columns.items()})


class Passes(NamedTuple):
    """The functions of one network and loss.

    Both return the batches' sums (S, len(SUMS), R), `train` after the new state, and `evaluate`
    before the probabilities (S, B, R).
    """

    train: Callable[[State, Cohort, Batches, HyperScalars], tuple[State, Tensor]]
    evaluate: Callable[[tuple[Tensor, ...], Cohort, Batches, HyperScalars], tuple[Tensor, Tensor]]


def compile_passes(network: Network, variant: Variant) -> Passes:
    """The passes of `network`, trained as `variant` says, compiled."""
    passes = make_passes(network, variant)
    compiled = jit if network.trains_on_xla else graph
    return Passes(compiled(passes.train), compiled(passes.evaluate))


def make_passes(network: Network, variant: Variant) -> Passes:
    """The passes of `network`, trained as `variant` says.

    What is differentiated is the mean of the R genres' losses.
    """
    step = make_step(variant)

    def forward(
        weights: tuple[Tensor, ...], x: Tensor, seed: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """p (B, R) and the penalised activities (B, …); in training, `seed` is of the dropout."""
        fixed = network.fixed_variables(seed)
        training = seed is not None
        outputs, _ = network.model.stateless_call(list(weights), fixed, x, training=training)
        # One output is no list of one.
        p, *activities = keras.tree.flatten(outputs)
        return p, tuple(activities)

    def sums_of(
        weights: tuple[Tensor, ...],
        outputs: tuple[Tensor, tuple[Tensor, ...]],
        y: Tensor,
        present: Tensor,
        hyper: HyperScalars,
    ) -> Tensor:
        p, activities = outputs
        built_in = () if is_custom(variant.regularizer) else activities
        sums = batch_sums(p, built_in, y, present, hyper)
        kernels = network.regularized_kernels(weights)
        if variant.kernel_regularizer in ("l1", "l2"):
            penalty = kernel_penalty(kernels, variant.kernel_regularizer, hyper)
            sums = add_penalty(sums, penalty)
        if network.functions is None:
            return sums
        layer_penalties = [r(weights[i]) for i, r in network.layer_regularizers]
        strengths = hyper.l1, hyper.kernel
        return add_custom_loss(
            network.functions, sums, p, activities, y, present, kernels, strengths, layer_penalties
        )

    def train(
        state: State, cohort: Cohort, batches: Batches, hyper: HyperScalars
    ) -> tuple[State, Tensor]:
        def train_batch(i: Tensor, carry: tuple[State, Tensor]) -> tuple[State, Tensor]:
            (weights, m, v), table = carry
            x, y, present = gather_batch(cohort, batches, i, weights[0].dtype)

            def objective(weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
                outputs = forward(weights, x, batches.seed[i])
                sums = sums_of(weights, outputs, y, present, hyper)
                if variant.loss == "fscore":
                    losses = fscore_loss(sums, batches.positives[i], batches.weight[i], hyper)
                else:
                    losses = cross_entropy_loss(sums, batches.size[i])
                return ops.mean(losses), sums

            sums, gradients = value_and_grad(objective, weights)
            size, decay, update = batches.step_size[i], batches.decay[i], batches.update[i]
            stepped = [
                step(*tensors, size, decay, update)
                if scale == 1
                else step(*tensors, size * scale, decay * scale, update)
                for *tensors, scale in zip(
                    weights, m, v, gradients, network.rate_scales, strict=True
                )
            ]
            weights, m, v = zip(*stepped, strict=True)
            return State(weights, m, v), put_row(table, i, sums)

        table = ops.zeros(
            (batches.rows.shape[0], len(SUMS), cohort.y.shape[1]), state.weights[0].dtype
        )
        state, table = for_each_batch(batches, train_batch, (state, table))
        return state, table

    def evaluate(
        weights: tuple[Tensor, ...], cohort: Cohort, batches: Batches, hyper: HyperScalars
    ) -> tuple[Tensor, Tensor]:
        def evaluate_batch(i: Tensor, carry: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            x, y, present = gather_batch(cohort, batches, i, weights[0].dtype)
            outputs = forward(weights, x)
            sums = sums_of(weights, outputs, y, present, hyper)
            return put_row(carry[0], i, sums), put_row(carry[1], i, outputs[0])

        steps, size = batches.rows.shape
        heads, dtype = cohort.y.shape[1], weights[0].dtype
        table = ops.zeros((steps, len(SUMS), heads), dtype)
        p = ops.zeros((steps, size, heads), dtype)
        table, p = for_each_batch(batches, evaluate_batch, (table, p))
        return table, p

    return Passes(train, evaluate)


def for_each_batch(batches: Batches, body: Callable[[Tensor, Any], Any], carry: Any) -> Any:
    """`body(i, carry)` for each batch in turn."""
    return ops.fori_loop(0, batches.rows.shape[0], body, carry)


def gather_batch(cohort: Cohort, batches: Batches, i: Tensor, dtype: Any) -> tuple[Tensor, ...]:
    """Batch `i`: its inputs, labels (B, R), and a 1 for each row (B, 1) that is not padding.

    Gathering inside the loop costs next to nothing, unlike permuting a whole epoch beforehand.
    """
    rows = batches.rows[i]
    x = ops.take(cohort.x, rows, axis=0)
    pixels = "int" in keras.backend.standardize_dtype(x.dtype)
    x = ops.cast(x, dtype)
    if pixels:
        x = x / 255
    y = ops.cast(ops.take(cohort.y, rows, axis=0), dtype)
    number = ops.expand_dims(ops.arange(rows.shape[0]), 1)
    present = ops.cast(number < ops.cast(batches.size[i], number.dtype), dtype)
    return x, y, present


def put_row(table: Tensor, i: Tensor, row: Tensor) -> Tensor:
    """`table` with its row `i` replaced."""
    start = (i, *[0] * (len(table.shape) - 1))
    return ops.slice_update(table, start, ops.expand_dims(row, 0))
