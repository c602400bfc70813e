"""A Keras model and what its training needs to know of it: its weights, initial and per head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from postertui.data.weights import Convolutions
from postertui.training import custom, initializers
from postertui.training.backend import Tensor, on_accelerator
from postertui.training.initializers import Array


@dataclass(frozen=True)
class Pretrained:
    """A backbone's weight, by its layer's name."""

    layer: str
    value: Array


#: A weight's initial value: drawn from the run's generator, VGG16's (layer, 0 kernel or 1 bias),
#: another backbone's, or None: drawn by a layer of the user's.
WeightInit = (
    Callable[[np.random.Generator, tuple[int, ...]], Array] | tuple[str, int] | Pretrained | None
)


class Network(NamedTuple):
    """A Keras model and what its training needs to know of it.

    Attributes
    ----------
    model
        Its outputs are p (B, R) and one or more activations to penalise.
    initial_weights
        The initialization of each trainable weight.
    rate_scales
        The factor on the learning rate of each trainable weight.
    frozen
        The values of frozen layers' variables, on the device, by path.
    has_stock_convolutions
        Whether Keras' own convolutions are trained.
    draw_custom
        The initial weights of the user's layers, the last of the model's, by the run's entropy.
    functions
        The user's own.
    heads, per_head
        R, and which trainable weights consist of R parts along their last axis, one for each head.
    """

    model: keras.Model
    initial_weights: tuple[WeightInit, ...]
    rate_scales: tuple[float, ...]
    frozen: Mapping[str, Tensor]
    has_stock_convolutions: bool = False
    draw_custom: Callable[[Sequence[int]], list[Array]] | None = None
    functions: custom.CustomFunctions | None = None
    heads: int = 1
    per_head: tuple[bool, ...] = ()

    @property
    def regularized(self) -> tuple[int, ...]:
        """Which trainable weights are kernels of hidden dense layers.

        In a network of the user's: the kernels of all its layers but the last.
        """
        if self.draw_custom is not None:
            kernels = [i for i in self._custom if self.weight_names[i].endswith("kernel")]
            return tuple(kernels[:-1])
        names = ("details/kernel", "fc1/kernel", "fc2/kernel")
        return tuple(i for i, name in enumerate(self.weight_names) if name in names)

    def regularized_kernels(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """The kernels of hidden dense layers, those of R heads as (R, in, out)."""
        kernels = []
        for number in self.regularized:
            kernel = weights[number]
            if self.per_head[number]:
                parts = ops.reshape(kernel, (kernel.shape[0], self.heads, -1))
                kernel = ops.transpose(parts, (1, 0, 2))
            kernels.append(kernel)
        return kernels

    def head_weights(self, weights: Sequence[Tensor], head: int) -> list[Tensor]:
        """The weights of the network that one head is together with what it shares."""
        return [
            weight[..., slice(*_part(weight.shape[-1], head, self.heads))]
            if is_per_head
            else weight
            for weight, is_per_head in zip(weights, self.per_head, strict=True)
        ]

    @property
    def layer_regularizers(self) -> list[tuple[int, Callable[[Tensor], Tensor]]]:
        """The regularizers that the user's own layers have, with the numbers of their weights."""
        variables = self.model.trainable_variables
        own = [(i, variables[i].regularizer) for i in self._custom]
        return [(i, regularizer) for i, regularizer in own if regularizer is not None]

    @property
    def _custom(self) -> tuple[int, ...]:
        """Which trainable weights are of the user's layers."""
        return tuple(i for i, initial in enumerate(self.initial_weights) if initial is None)

    def fixed_variables(self, seed: Tensor | None) -> list[Tensor]:
        """The values of variables that training does not change, in the model's order.

        Those are the weights of frozen layers, and the seeds of dropout layers.
        """
        values = []
        for number, variable in enumerate(self.model.non_trainable_variables):
            if "seed_generator" not in variable.path:
                values.append(self.frozen[variable.path])
            elif seed is None:
                values.append(ops.zeros(variable.shape, variable.dtype))
            else:
                values.append(seed + np.array([0, number], np.uint32))
        return values

    @property
    def trains_on_xla(self) -> bool:
        """Whether XLA makes training faster: not with stock convolutions on a CPU."""
        return on_accelerator() or not self.has_stock_convolutions

    @property
    def weight_names(self) -> tuple[str, ...]:
        """`<layer>/<part>` of each trainable weight (see `postertui.runs.trained_weights`)."""
        return tuple(variable.path for variable in self.model.trainable_variables)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the trainable weights."""
        return [tuple(variable.shape) for variable in self.model.trainable_variables]

    def draw_weights(self, entropy: Sequence[int], convolutions: Convolutions) -> list[Array]:
        """The weights before the first epoch; they depend on `RunSpec.entropy` only."""
        rng = initializers.weights_rng(entropy)
        drawn = iter(self.draw_custom(entropy) if self.draw_custom else ())
        weights: list[Array] = []
        for variable, initial in zip(
            self.model.trainable_variables, self.initial_weights, strict=True
        ):
            shape = tuple(variable.shape)
            if isinstance(initial, tuple):
                layer, part = initial
                weights.append(convolutions[layer][part])
            elif isinstance(initial, Pretrained):
                weights.append(initial.value)
            elif initial is None:
                weights.append(next(drawn))
            else:
                weights.append(initial(rng, shape))
        return weights


def _part(size: int, part: int, parts: int) -> tuple[int, int]:
    """Where the numbered of `parts` equal parts of an axis begins and ends."""
    return size * part // parts, size * (part + 1) // parts
