"""What trained models make of posters that a backbone has passed: networks and classical models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from postertui.data.details.encoding import DetailsEncoder
from postertui.predictions.inference import ModelRequest
from postertui.runs.code import Code
from postertui.runs.pruning import HOW_TO_RESTORE
from postertui.runs.trained_weights import read_weights
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training.input_encoding import (
    InputEncoding,
    join,
    joined_shape,
    read_encoding,
)

if TYPE_CHECKING:
    from postertui.training.backend import Tensor

Features = NDArray[np.float32]
Probabilities = NDArray[np.float32]

#: From an encoder to the details of n posters as numbers, (n, width).
EncodeDetails = Callable[[DetailsEncoder], NDArray[np.float32]]


class Heads:
    """What trained models make of one backbone's features.

    Networks of one shape are traced once; their weights are arguments.
    """

    def __init__(self, models: Sequence[ModelRequest], first: int, features: tuple[int, ...]):
        self._first = first
        self._features = features
        self._side, self._weights = models[0].side, models[0].spec.weights
        self._programs: dict[tuple[object, ...], tuple[Any, Callable[..., Tensor]]] = {}
        self._heads = [self._load(model) for model in models]

    def probabilities(
        self, features: Features, encode: EncodeDetails | None = None
    ) -> Probabilities:
        """The probabilities (models, n) of n posters with these features.

        `encode` gives their details (n, width) for models that take them.
        """
        from postertui.training.backend import to_device, to_host

        rows: dict[InputEncoding | None, Tensor] = {}
        outputs = []
        for compute, weights, encoding in self._heads:
            if encoding not in rows:
                rows[encoding] = to_device(join_inputs(features, encoding, encode))
            if weights is None:
                outputs.append(compute(to_host(rows[encoding])))
            else:
                outputs.append(to_host(compute(weights, rows[encoding]))[:, 0])
        return np.stack(outputs)

    def _load(
        self, model: ModelRequest
    ) -> tuple[Callable[..., Any], list[Tensor] | None, InputEncoding | None]:
        """From inputs to probabilities: a network with its weights, or a classical model."""
        from postertui.training.backend import to_device

        folder = Path(model.folder)
        trained = read_weights(folder, model.spec.digest, model.weights_digest)
        encoding = read_encoding(trained, model)
        if model.spec.variant.model != "network":
            from postertui.training.classical import load_scorer

            assert encoding is not None
            return load_scorer(trained.model, encoding, model.folder), None, encoding
        network, compute = self._program(model.spec.variant, model.code, encoding)
        expected = [tuple(variable.shape) for variable in network.trainable_variables]
        shapes = [array.shape for array in trained.arrays.values()]
        if shapes != expected:
            raise UserError(
                f"{folder}: its weights are of another network than its spec's; {HOW_TO_RESTORE}"
            )
        return compute, [to_device(array) for array in trained.arrays.values()], encoding

    def _program(
        self, variant: Variant, code: Code, encoding: InputEncoding | None
    ) -> tuple[Any, Callable[..., Tensor]]:
        import keras

        from postertui.training import custom, networks
        from postertui.training.backend import graph

        joined = None if encoding is None else joined_shape(encoding, self._features)
        shape = (
            variant.network,
            variant.frozen_layers,
            variant.trainable_layers,
            variant.train_from,
            variant.fc1,
            variant.fc2,
            variant.dropout > 0,
            variant if variant.has_custom_network else None,
            variant.details_units,
            joined,
        )
        if shape not in self._programs:
            built = networks.build(
                variant,
                self._first,
                self._features if joined is None else (joined.width,),
                "float32",
                side=self._side,
                weights=self._weights,
                functions=custom.load_functions(variant, code) if code else None,
                joined=joined,
            )
            network = built.model

            def compute(weights: list[Tensor], x: Tensor) -> Tensor:
                outputs, _ = network.stateless_call(
                    weights, built.fixed_variables(None), x, training=False
                )
                return keras.tree.flatten(outputs)[0]

            self._programs[shape] = network, graph(compute)
        return self._programs[shape]


def join_inputs(
    features: Features, encoding: InputEncoding | None, encode: EncodeDetails | None
) -> Features:
    """A model's inputs: features, details, or both in one row."""
    if encoding is None or not encoding.details.columns:
        return features
    assert encode is not None
    encoded = encode(encoding.details)
    return encoded if encoding.features is None else join(features, encoded)
