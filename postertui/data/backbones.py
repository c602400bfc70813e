"""Pretrained networks of `keras.applications`, described without importing Keras.

Keras is asked by a subprocess (`postertui.training.backbones`), for all networks that are needed at
once; the answers are kept in the user's cache folder, by Keras' version.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from postertui.data.sides import how_to_add_side, list_sides
from postertui.data.weights import Weights, download, file_digest, keras_models_folder
from postertui.study import Variant
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.user_folders import user_folder

#: Changes with the drawing of random weights.
RANDOM_VERSION = "random-2"

FORMAT = 2


class Backbone(msgspec.Struct, frozen=True, kw_only=True):
    """A network of `keras.applications` without its top.

    Attributes
    ----------
    name
        Keras' name in lower case, as `network` of a variant has it.
    title
        Keras' name.
    side, min_side
        The images' side in pixels, and the least one.
    layers
        Names of its layers from the input on.
    weights_file, weights_url, weights_hash
        Keras' ImageNet weights for that side; the hash is MD5 or SHA-256, or empty.
    """

    name: str
    title: str
    side: int
    min_side: int
    layers: tuple[str, ...]
    weights_file: str
    weights_url: str
    weights_hash: str
    format: int = FORMAT


class BackboneAnswer(msgspec.Struct):
    """What the subprocess prints of each network: a description, or what is wrong.

    Asked whether weights fit, it answers without a description.
    """

    backbone: Backbone | None = None
    error: str = ""


def describe_backbones(
    networks: Iterable[tuple[str, int]], announce: Callable[[str], None] | None = None
) -> dict[tuple[str, int], Backbone]:
    """The layers, least side and width of pretrained networks, as Keras has them.

    Parameters
    ----------
    networks
        Names in lower case, with the side of the images in pixels.
    announce
        Called with one line before Keras is asked, which takes some seconds. What it answered once
        is in the user's cache.

    Raises
    ------
    UserError
        Where Keras has no network of such a name, or is missing.
    """
    requested = list(dict.fromkeys(networks))
    try:
        version = _keras_version()
    except importlib.metadata.PackageNotFoundError:
        names = ", ".join(dict.fromkeys(name for name, _ in requested))
        raise UserError(f"network {names}: needs Keras: pip install 'postertui[train]'") from None
    folder = _cache_folder()
    paths = {(n, s): folder / f"backbone-{version}-{n}-{s}.json" for n, s in requested}
    backbones = {k: cached for k in requested if (cached := _read_cached(paths[k], *k))}
    if missing := [k for k in requested if k not in backbones]:
        names = ", ".join(dict.fromkeys(name for name, _ in missing))
        if announce:
            announce(f"Asking Keras about {names} (once; some seconds) …")
        answers = _ask_keras([f"{name}:{side}" for name, side in missing])
        for key, answer in zip(missing, answers, strict=True):
            if answer.backbone is None:
                raise UserError(f"network {key[0]}: {answer.error}")
            backbones[key] = answer.backbone
            with contextlib.suppress(OSError):  # It is asked for again next time.
                folder.mkdir(parents=True, exist_ok=True)
                write_atomic(paths[key], msgspec.json.encode(answer.backbone))
    return backbones


def _keras_version() -> str:
    return importlib.metadata.version("keras")


def _cache_folder() -> Path:
    return user_folder("CACHE") / "postertui"


def _read_cached(path: Path, name: str, side: int) -> Backbone | None:
    try:
        backbone = msgspec.json.decode(path.read_bytes(), type=Backbone)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if (backbone.format, backbone.name, backbone.side) != (FORMAT, name, side):
        return None
    return backbone


def _ask_keras(arguments: list[str]) -> list[BackboneAnswer]:
    """What `postertui.training.backbones` says of the networks that end its `arguments`."""
    command = [sys.executable, "-m", "postertui.training.backbones", *arguments]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    result = subprocess.run(command, capture_output=True, env=environment, check=False)
    try:
        return msgspec.json.decode(result.stdout.splitlines()[-1], type=list[BackboneAnswer])
    except (IndexError, msgspec.MsgspecError):
        last = (result.stderr.decode(errors="replace").splitlines() or ["no output"])[-1]
        names = ", ".join(a.partition(":")[0] for a in arguments if "/" not in a)
        raise UserError(f"network {names}: Keras cannot be asked: {last}") from None


def check_side(backbone: Backbone, sides: Sequence[int], variant: str) -> None:
    """Check that a variant's images are large enough for its backbone.

    Parameters
    ----------
    backbone
        Described at the side of the variant's images.
    sides
        Those that the data has, in pixels.
    variant
        Its name, for the message.

    Raises
    ------
    UserError
        Where they are too small.
    """
    needed, side = backbone.min_side, backbone.side
    if side >= needed:
        return
    if large := [s for s in sides if s >= needed]:
        raise UserError(
            f"{variant}: {backbone.title} needs {needed} pixels, not {side}; the data has "
            f"{list_sides(large)} too: side = {min(large)} in the variant"
        )
    raise UserError(
        f"{variant}: {backbone.title} needs {needed} pixels; the data has {list_sides(sides)}; "
        f"{how_to_add_side(sides, max(96, needed))}, side = {max(96, needed)} in the variant "
        "takes them"
    )


def check_layers(backbone: Backbone, variant: Variant) -> None:
    """Check the layers that a variant trains or names.

    Raises
    ------
    UserError
        Where it trains layers, or names rates of layers, that the backbone lacks, or names rates of
        layers that it does not train.
    """
    layers, count = backbone.layers, variant.trainable_layers
    if variant.train_from and variant.train_from not in layers:
        raise _no_layer_error(backbone, variant, variant.train_from)
    if count >= len(layers):
        raise UserError(
            f"{variant.name}: {backbone.title} has {len(layers) - 1} layers, not {count}"
        )
    if isinstance(variant.backbone_rate, float | int):
        return
    first = variant.frozen_layers if backbone.name == "vgg16" else len(layers)
    if variant.train_from:
        first = layers.index(variant.train_from)
    elif count:
        first = len(layers) - count
    for group, _ in variant.backbone_rate:
        numbers = [i for i, layer in enumerate(layers) if layer.startswith(group)]
        if not numbers:
            raise _no_layer_error(backbone, variant, group)
        if max(numbers) < first:
            raise UserError(
                f"{variant.name}: backbone_rate: {group} does not train; train_from says from "
                f"which layer on {backbone.title} does"
            )


def _no_layer_error(backbone: Backbone, variant: Variant, name: str) -> UserError:
    close = difflib.get_close_matches(name, backbone.layers, n=3, cutoff=0.5)
    hint = f"; close: {', '.join(close)}" if close else ""
    return UserError(f"{variant.name}: {backbone.title} has no layer {name}{hint}")


def resolve_backbone_weights(backbone: Backbone, choice: str) -> Weights:
    """The weights of a backbone that a user named; never others in their place.

    Parameters
    ----------
    choice
        `imagenet`, `random`, or a file's path. `imagenet` is read from Keras' folder, where it is
        downloaded first if missing.

    Raises
    ------
    UserError
        Where the weights are unavailable or another network's.
    """
    if choice == "random":
        identity = f"{RANDOM_VERSION} {backbone.name}"
        return Weights("random", hashlib.sha256(identity.encode()).hexdigest()[:32])
    if choice == "imagenet":
        if not backbone.weights_file:
            raise UserError(
                f"{backbone.title}: Keras has no ImageNet weights of it; {_file_advice(backbone)}"
            )
        path = keras_models_folder() / backbone.weights_file
        if not path.is_file():
            title = f"{backbone.title}'s ImageNet weights"
            advice = _file_advice(backbone)
            download(path, backbone.weights_url, backbone.weights_hash, title, advice)
        return Weights("imagenet", file_digest(path), str(path))
    path = Path(choice).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such weights file for {backbone.title}")
    digest = file_digest(path)
    _check_weights_file(backbone, path, digest)
    return Weights("file", digest, str(path.resolve()))


def _file_advice(backbone: Backbone) -> str:
    return f"give a file with --weights {backbone.name}=FILE, or {backbone.name}=random"


def _check_weights_file(backbone: Backbone, path: Path, digest: str) -> None:
    """Raise `UserError` where Keras cannot load the file into the network.

    That is asked once for each content of a file; it takes some seconds.
    """
    passed = _cache_folder() / f"weights-{_keras_version()}-{backbone.name}-{digest}"
    if passed.exists():
        return
    network = f"{backbone.name}:{backbone.side}"
    answers = _ask_keras(["--weights", str(path.resolve()), network])
    if answers[0].error:
        raise UserError(f"{answers[0].error}; {_file_advice(backbone)}")
    with contextlib.suppress(OSError):
        passed.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(passed, b"")
