"""A model's probabilities with each of its inputs permuted.

This is the subprocess of `postertui.predictions.importance`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.chosen_posters import ChosenPosters
from postertui.data.dataset import Dataset
from postertui.data.details.encoding import DetailsEncoder
from postertui.predictions.importance import ImportanceRequest
from postertui.predictions.inference import InferenceMessage, ModelRequest
from postertui.runs.trained_weights import read_weights
from postertui.system.errors import UserError
from postertui.training.environment import hide_unused_packages
from postertui.training.inference import first_layer, send
from postertui.training.inference_heads import Heads
from postertui.training.input_encoding import read_encoding

Features = NDArray[np.float32]


def permuted_probabilities(model: ModelRequest, data: Path, repeats: int) -> NDArray[np.float32]:
    """The probabilities (1 + inputs, repeats, n) of the run's n validation posters.

    First those of the posters as they are, then for each column of the details, and for the
    posters' features where the model takes them, those with that input of another poster.
    """
    spec = model.spec
    dataset = Dataset.open(data, model.side)
    posters = ChosenPosters(dataset, with_details=spec.variant.with_details)
    trained = read_weights(Path(model.folder), spec.digest, model.weights_digest)
    encoding = read_encoding(trained, model)
    assert encoding is not None
    encoder = encoding.details
    encoded = encoder.encode(dataset.details(), posters.ids(spec.val_cohorts))
    features, first = validation_features(model, posters)
    heads = Heads([model], first, features.shape[1:])

    def probabilities(features: Features, details: Features) -> NDArray[np.float32]:
        def encode(_: DetailsEncoder) -> Features:
            return details

        of_model: NDArray[np.float32] = heads.probabilities(features, encode)[0]
        return of_model

    rng = np.random.default_rng([spec.seed, len(encoded)])
    orders = [rng.permutation(len(encoded)) for _ in range(repeats)]
    outputs = [np.tile(probabilities(features, encoded), (repeats, 1))]
    for columns in encoder.slices.values():
        permuted = []
        for order in orders:
            changed = encoded.copy()
            changed[:, columns] = encoded[order, columns]
            permuted.append(probabilities(features, changed))
        outputs.append(np.stack(permuted))
    if encoding.features is not None:
        outputs.append(np.stack([probabilities(features[order], encoded) for order in orders]))
    return np.stack(outputs)


def validation_features(model: ModelRequest, posters: ChosenPosters) -> tuple[Features, int]:
    """What the model takes of the validation posters' images, and its first own layer."""
    from postertui.training.blocks import HostRows
    from postertui.training.features import FeatureCache, scale_pixels

    spec, dataset = model.spec, posters.dataset
    cohorts = spec.val_cohorts
    if spec.variant.inputs == "details":
        return np.empty((len(posters.ids(cohorts)), 0), np.float32), 1
    first = first_layer(model)
    if first == 1:
        arrays = [dataset.images(d) for d in cohorts]
    else:
        cache = FeatureCache(dataset, spec.weights, first, network=spec.variant.network)
        arrays = list(cache.load(cohorts, lambda *_: None))
    return scale_pixels(HostRows(arrays, posters.rows(cohorts)).whole()), first


def main() -> None:
    """Answer the request on standard input."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=ImportanceRequest)
    try:
        probabilities = permuted_probabilities(request.model, Path(request.data), request.repeats)
        np.save(request.output, probabilities)
        send(InferenceMessage(unreadable={}))
    except UserError as error:
        send(InferenceMessage(error=str(error)))


if __name__ == "__main__":
    hide_unused_packages()
    main()
    # Not a plain exit: the frameworks' threads may hang in their destructors.
    os._exit(0)
