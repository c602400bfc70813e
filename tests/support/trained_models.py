"""Runs with weights that were drawn and not trained, and posters for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from postertui.data.dataset import Dataset
from postertui.data.posters.build import build_dataset
from postertui.data.weights import Weights, resolve_weights
from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.spec import RunSpec, write_spec
from postertui.runs.trained_weights import write_weights
from postertui.study import Variant

GENRES = ("Comedy", "Drama")
RANDOM = resolve_weights("random")


def write_many_sizes(folder: Path, count: int) -> Path:
    """Posters of cohorts 0 and 2: gradients and noise of many sizes, JPEG and PNG."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for number in range(1, count + 1):
        width, height = (int(n) for n in rng.integers(40, 200, 2))
        ramp = np.linspace(0, 255, width)[None, :, None] * rng.random(3)
        noise = rng.normal(0, 8, (height, width, 3))
        pixels = np.clip(ramp + noise + rng.integers(0, 80), 0, 255).astype(np.uint8)
        suffix = "png" if number % 3 == 0 else "jpg"
        poster = 10 * number + 2 * (number % 2)
        Image.fromarray(pixels).save(folder / f"{poster}.{suffix}", quality=92)
    return folder


def build_data(folder: Path, posters: Path, side: int = 32) -> Dataset:
    """A data folder of all `posters`: every other one is a Comedy, every third a Drama."""
    ids = sorted(int(path.stem) for path in posters.iterdir())
    lines = ["id,genres"]
    for number in ids:
        genres = [g for g, step in zip(GENRES, (2, 3), strict=True) if number // 10 % step == 0]
        lines.append(f"{number},{'|'.join(genres)}")
    labels = folder.parent / f"{folder.name}-labels.csv"
    labels.write_text("\n".join(lines) + "\n")
    build_dataset(posters, labels, folder, sides=(side,))
    return Dataset.open(folder)


def draw_weights(variant: Variant, seed: int, side: int) -> dict[str, NDArray[np.float32]]:
    """Weights of the variant's own layers, such that probabilities spread."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}
    if variant.network == "scratch":
        inputs = ((side - 2) // 2) ** 2 * variant.fc1
        shapes |= {"conv": (3, 3, 3, variant.fc1), "fc2": (inputs, variant.fc2)}
    else:
        for layer, number in (("block5_conv2", 16), ("block5_conv3", 17)):
            if number >= variant.frozen_layers:
                shapes[layer] = (3, 3, 512, 512)
        shapes |= {"fc1": (512, variant.fc1), "fc2": (variant.fc1, variant.fc2)}
    shapes["output"] = (variant.fc2, 1)
    arrays = {}
    for layer, shape in shapes.items():
        scale = (3 if layer == "output" else 1) * np.sqrt(2 / np.prod(shape[:-1]))
        arrays[f"{layer}/kernel"] = (rng.standard_normal(shape) * scale).astype(np.float32)
        arrays[f"{layer}/bias"] = (rng.standard_normal(shape[-1]) * 0.1).astype(np.float32)
    return arrays


def write_model(
    runs: Path,
    data: Dataset,
    genre: str,
    *,
    variant: Variant | None = None,
    seed: int = 0,
    weights: Weights = RANDOM,
    scores: dict[str, float] | None = None,
    code: dict[str, bytes] | None = None,
) -> RunSpec:
    """A done run of one epoch with weights; `scores` go into its epoch."""
    variant = variant or Variant(name="base", fc1=16, fc2=8, epochs=1)
    spec = RunSpec(
        variant=variant,
        genre=genre,
        seed=seed,
        study="made-up",
        data=str(data.path),
        data_fingerprint=data.fingerprint,
        weights=weights,
        train_base_rate=0.4,
        test_base_rate=0.4,
    )
    assert write_spec(runs, spec, code)
    folder = runs / spec.run
    number = [*GENRES, genre].index(genre) + 10 * seed
    info = write_weights(folder, spec.digest, 1, draw_weights(variant, number, data.side))
    with EventWriter(folder / layout.EVENTS) as events:
        events.attempt = 1
        events.append("start", from_epoch=1, pid=1, started=1, boot="x", host="x", device="cpu")
        metrics = {"test_fscore_soft": 0.5, "seconds": 1.0} | (scores or {})
        events.append("epoch", epoch=1, **metrics)
        weights_fields = {"digest": info.digest, "bytes": info.bytes, "epoch": info.epoch}
        events.append("end", status="done", weights=weights_fields)
    return spec


def relu_head(
    features: NDArray[np.float32], arrays: dict[str, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """The head written out in float64: probabilities (n,) of features (n, units)."""
    h = features.astype(np.float64)
    for layer in ("fc1", "fc2"):
        h = np.maximum(h @ arrays[f"{layer}/kernel"] + arrays[f"{layer}/bias"], 0)
    logits = h @ arrays["output/kernel"] + arrays["output/bias"]
    return 1 / (1 + np.exp(-logits[:, 0]))


def image_files(posters: Path) -> Sequence[Path]:
    """The posters by id."""
    return sorted(posters.iterdir(), key=lambda path: int(path.stem))
