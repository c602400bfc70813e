"""Posters through trained models: the subprocess of `postertui.predictions.inference`.

All models on one backbone share its pass over the posters, which is nearly all of the work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.ids import id_of_stem
from postertui.data.posters.images import (
    UnreadableImageError,
    quiet_decoders,
    read_image,
)
from postertui.predictions.inference import InferenceMessage, InferenceRequest, ModelRequest
from postertui.system.errors import UserError
from postertui.system.gc_pause import gc_paused
from postertui.training.environment import hide_unused_packages
from postertui.training.inference_heads import Features, Heads
from postertui.training.input_encoding import PosterDetails

#: Posters at a time: as many as feature extraction takes.
BATCH = 256

Pixels = NDArray[np.uint8]


def infer(
    models: Sequence[ModelRequest],
    images: Sequence[str],
    report_progress: Callable[[int, int], None],
    details: Path | None = None,
) -> tuple[NDArray[np.float32], dict[int, str]]:
    """The probabilities (models, images), NaN where an image is unreadable, and those with why.

    `details` is a table of the images' details, by the ids in their names.
    Raises `UserError` for a model that cannot be used, before any image is read.
    """
    probabilities = np.full((len(models), len(images)), np.nan, np.float32)
    unreadable: dict[int, str] = {}
    ids = [id_of_stem(Path(image).stem) for image in images]
    table = PosterDetails(details, ids) if details is not None else None
    passes = [
        (places, *_prepare([models[i] for i in places], len(images)))
        for places in _by_backbone(models).values()
    ]
    done, total = 0, len(passes) * len(images)
    report_progress(done, total)
    for places, extract, heads in passes:
        side = models[places[0]].side
        for columns, pixels, refused in _read_ahead(images, side):
            unreadable |= refused
            if columns:
                numbers = [ids[i] for i in columns]
                features = extract(pixels)
                encode = None if table is None else partial(table.encode, ids=numbers)
                outputs = heads.probabilities(features, encode)
                probabilities[np.ix_(places, columns)] = outputs[:, : len(columns)]
            done += len(columns) + len(refused)
            report_progress(done, total)
    return probabilities, unreadable


def _by_backbone(models: Sequence[ModelRequest]) -> dict[tuple[object, ...], list[int]]:
    """Places of the models that share images and frozen layers."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, model in enumerate(models):
        if model.spec.variant.inputs == "details":
            groups.setdefault((model.side, "details"), []).append(place)
            continue
        first = first_layer(model)
        weights = model.spec.weights.digest if first > 1 else ""
        network = model.spec.variant.backbone_name if first > 1 else ""
        groups.setdefault((model.side, network, first, weights), []).append(place)
    return groups


def first_layer(model: ModelRequest) -> int:
    """The backbone's first layer that is the model's own; 1, where it begins with the images."""
    with gc_paused(freeze=True):
        from postertui.training.backbone_parts import first_uncached_layer

    return first_uncached_layer(model.spec.variant, model.side, model.spec.weights)


def _prepare(
    models: Sequence[ModelRequest], images: int
) -> tuple[Callable[[Pixels], Features], Heads]:
    """The function from pixels to features that the models share, and their heads."""
    from postertui.training.features import feature_extractor, feature_shape

    spec, side = models[0].spec, models[0].side
    if spec.variant.inputs == "details":
        return lambda pixels: np.empty((len(pixels), 0), np.float32), Heads(models, 1, ())
    first = first_layer(models[0])
    heads = Heads(
        models, first, feature_shape(side, first, spec.weights, spec.variant.backbone_name)
    )
    # Padded to a power of two: a single poster need not cost as much as a full batch.
    batch = min(BATCH, 1 << max(images - 1, 0).bit_length())
    return feature_extractor(side, first, spec.weights, batch, spec.variant.backbone_name), heads


def _read_ahead(
    images: Sequence[str], side: int
) -> Iterator[tuple[list[int], Pixels, dict[int, str]]]:
    """Batches of images while the next one is being read: places, pixels, unreadable ones."""
    starts = range(0, len(images), BATCH)
    with ThreadPoolExecutor(1) as reader, quiet_decoders():

        def begin(start: int) -> Any:
            return reader.submit(_read_batch, images[start : start + BATCH], start, side)

        following = begin(0) if images else None
        for start in starts:
            assert following is not None
            batch = following.result()
            following = begin(start + BATCH) if start + BATCH < len(images) else None
            yield batch


def _read_batch(
    images: Sequence[str], start: int, side: int
) -> tuple[list[int], Pixels, dict[int, str]]:
    places, pixels, unreadable = [], [], {}
    for place, path in enumerate(images, start):
        try:
            pixels.append(read_image(Path(path), side))
            places.append(place)
        except UnreadableImageError as error:
            unreadable[place] = str(error)
    stacked = np.stack(pixels) if pixels else np.empty((0, side, side, 3), np.uint8)
    return places, stacked, unreadable


def main() -> None:
    """Answer the request on standard input."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=InferenceRequest)
    try:
        probabilities, unreadable = infer(
            request.models,
            request.images,
            _report_progress,
            Path(request.details) if request.details else None,
        )
        with Path(request.output).open("wb") as file:
            np.save(file, probabilities)
        send(InferenceMessage(unreadable=unreadable))
    except UserError as error:
        send(InferenceMessage(error=str(error)))


def send(message: InferenceMessage) -> None:
    """Write a line for the process that asked."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def _report_progress(done: int, total: int) -> None:
    send(InferenceMessage(done=done, total=total))


if __name__ == "__main__":
    hide_unused_packages()
    main()
    # Not a plain exit: the frameworks' threads may hang in their destructors.
    os._exit(0)
