"""Pretrained networks of `keras.applications`, described without importing Keras.

Keras is asked by a subprocess (`postertui.training.backbones`), for all networks that are needed at
once; the answers are kept in the user's cache folder, by Keras' version.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from postertui.data.weights import Weights, download, file_digest, keras_models_folder
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.user_folders import user_folder

#: Changes with the drawing of random weights.
RANDOM_VERSION = "random-1"

FORMAT = 1


class Backbone(msgspec.Struct, frozen=True, kw_only=True):
    """A network of `keras.applications` without its top.

    Attributes
    ----------
    name
        Keras' name in lower case, as `network` of a variant has it.
    title
        Keras' name.
    min_side
        The least side of an image in pixels.
    layers
        Names of its layers from the input on.
    weights_file, weights_url, weights_hash
        Keras' ImageNet weights; the hash is MD5 or SHA-256, or empty.
    """

    name: str
    title: str
    min_side: int
    layers: tuple[str, ...]
    weights_file: str
    weights_url: str
    weights_hash: str
    format: int = FORMAT


class Answer(msgspec.Struct):
    """What the subprocess prints of each network: a description, or why there is none."""

    backbone: Backbone | None = None
    error: str = ""


def describe_backbones(
    names: Iterable[str], announce: Callable[[str], None] | None = None
) -> dict[str, Backbone]:
    """The backbones called `names`. Raises `UserError` where Keras has none of such a name.

    `announce` is called with one line before Keras is asked, which takes some seconds.
    """
    wanted = list(dict.fromkeys(names))
    try:
        version = importlib.metadata.version("keras")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"network {', '.join(wanted)}: needs Keras: pip install 'postertui[train]'"
        ) from None
    folder = user_folder("CACHE") / "postertui"
    paths = {name: folder / f"backbone-{version}-{name}.json" for name in wanted}
    backbones = {name: cached for name in wanted if (cached := _read_cached(paths[name], name))}
    if missing := [name for name in wanted if name not in backbones]:
        if announce:
            announce(f"Asking Keras about {', '.join(missing)} (once; some seconds) …")
        for backbone in _ask_keras(missing):
            backbones[backbone.name] = backbone
            try:
                folder.mkdir(parents=True, exist_ok=True)
                write_atomic(paths[backbone.name], msgspec.json.encode(backbone))
            except OSError:
                pass  # It is asked for again next time.
    return backbones


def _read_cached(path: Path, name: str) -> Backbone | None:
    try:
        backbone = msgspec.json.decode(path.read_bytes(), type=Backbone)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return backbone if backbone.format == FORMAT and backbone.name == name else None


def _ask_keras(names: list[str]) -> list[Backbone]:
    command = [sys.executable, "-m", "postertui.training.backbones", *names]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    result = subprocess.run(command, capture_output=True, env=environment, check=False)
    try:
        answers = msgspec.json.decode(result.stdout.splitlines()[-1], type=list[Answer])
    except (IndexError, msgspec.MsgspecError):
        last = (result.stderr.decode(errors="replace").splitlines() or ["no output"])[-1]
        raise UserError(f"network {', '.join(names)}: Keras cannot be asked: {last}") from None
    backbones = []
    for name, answer in zip(names, answers, strict=True):
        if answer.backbone is None:
            raise UserError(f"network {name}: {answer.error}")
        backbones.append(answer.backbone)
    return backbones


def check_side(backbone: Backbone, side: int) -> None:
    """Raise `UserError` where images of `side` pixels are too small."""
    if side < backbone.min_side:
        raise UserError(
            f"{backbone.title} needs {backbone.min_side} pixels; the data has {side}; "
            "`postertui data build --side 96` makes larger images"
        )


def check_layers(backbone: Backbone, variant: str, train_from: str, trainable_layers: int) -> None:
    """Raise `UserError` where a variant trains layers that the backbone has not."""
    if train_from and train_from not in backbone.layers:
        close = difflib.get_close_matches(train_from, backbone.layers, n=3, cutoff=0.5)
        hint = f"; close: {', '.join(close)}" if close else ""
        raise UserError(f"{variant}: {backbone.title} has no layer {train_from}{hint}")
    if trainable_layers >= len(backbone.layers):
        raise UserError(
            f"{variant}: {backbone.title} has {len(backbone.layers) - 1} layers, not "
            f"{trainable_layers}"
        )


def resolve_backbone_weights(backbone: Backbone, choice: str) -> Weights:
    """The backbone's weights named by `imagenet`, `random` or a file's path.

    `imagenet` is read from Keras' folder, where it is downloaded first if missing. Raises
    `UserError` where the weights are unavailable; never falls back to other weights.
    """
    if choice == "random":
        identity = f"{RANDOM_VERSION} {backbone.name}"
        return Weights("random", hashlib.sha256(identity.encode()).hexdigest()[:32])
    if choice == "imagenet":
        path = keras_models_folder() / backbone.weights_file
        if not path.is_file():
            download(path, backbone.weights_url, backbone.weights_hash, backbone.title)
        return Weights("imagenet", file_digest(path), str(path))
    path = Path(choice).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such weights file for {backbone.title}")
    return Weights("file", file_digest(path), str(path.resolve()))
