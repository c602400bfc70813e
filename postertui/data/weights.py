"""Weights of the pretrained VGG16: ImageNet's, random ones, or a file's.

Does not import TensorFlow. Reading a file's arrays needs h5py, which comes with Keras.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from postertui.system.errors import UserError
from postertui.system.user_folders import home_folder, user_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Kernel (3, 3, in, out) and bias (out,) of each convolution, by the layer's name.
Convolutions: TypeAlias = "dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]"

IMAGENET_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
IMAGENET_URL = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/" + IMAGENET_FILE
#: As `keras.applications.vgg16` checks it.
IMAGENET_MD5 = "6d6bbae143d832006294945121d1f1fc"

#: Part of the features' key; change it together with the drawing of random weights.
RANDOM_VERSION = "random-1"

#: VGG16's convolutions from the input on: name and number of filters.
CONVOLUTIONS = tuple(
    (f"block{block}_conv{conv}", filters)
    for block, (convs, filters) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1)
    for conv in range(1, convs + 1)
)

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_GIVE_A_FILE = "give a file of VGG16's weights with --weights FILE, or --weights random"


class Weights(msgspec.Struct, frozen=True):
    """The pretrained network's weights: `kind` for display, `digest` for identity."""

    kind: Literal["imagenet", "random", "file"]
    digest: str
    path: str | None = None


def resolve_weights(choice: str) -> Weights:
    """The weights of VGG16 that a user named; never others in their place.

    Parameters
    ----------
    choice
        `imagenet`, `random`, or a file's path. `imagenet` is read from Keras' folder, where it is
        downloaded first if missing.

    Returns
    -------
    Weights
        Their digest is that of the file's bytes.

    Raises
    ------
    UserError
        Where they are unavailable.
    """
    if choice == "random":
        return Weights("random", hashlib.sha256(RANDOM_VERSION.encode()).hexdigest()[:32])
    if choice == "imagenet":
        path = imagenet_path()
        if not path.is_file():
            download_imagenet(path)
        return Weights("imagenet", file_digest(path), str(path))
    path = Path(choice).expanduser()
    if not path.is_file():
        raise UserError(
            f"{path}: no such weights file; --weights takes imagenet, random or a .h5 file"
        )
    check_file(path)
    return Weights("file", file_digest(path), str(path.resolve()))


def imagenet_path() -> Path:
    """Where Keras keeps the ImageNet weights of VGG16 without its top."""
    return keras_models_folder() / IMAGENET_FILE


def keras_models_folder() -> Path:
    """Where Keras keeps the weights that it downloads."""
    if given := os.environ.get("KERAS_HOME"):
        return Path(given) / "models"
    home = home_folder()
    return (user_folder("CACHE") / "keras" if home is None else home / ".keras") / "models"


def has_imagenet_weights() -> bool:
    """Whether ImageNet weights are on disk."""
    return imagenet_path().is_file()


def download_imagenet(target: Path, url: str = IMAGENET_URL, md5: str = IMAGENET_MD5) -> None:
    """Download VGG16's ImageNet weights to `target`, atomically, and verify their checksum."""
    download(target, url, md5, "ImageNet weights")


def download(target: Path, url: str, expected: str, title: str, advice: str = _GIVE_A_FILE) -> None:
    """Download a file of weights, whole or not at all.

    Parameters
    ----------
    expected
        The MD5 or SHA-256 checksum in hex digits; empty checks nothing.
    title
        What the weights are called in messages.
    advice
        How to do without them.

    Raises
    ------
    UserError
        Where the download fails, or the checksum is another.
    """
    import urllib.request

    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".download-")
        digest = hashlib.new("sha256" if len(expected) == 64 else "md5", usedforsecurity=False)
        with os.fdopen(descriptor, "wb") as file, urllib.request.urlopen(url, timeout=20) as source:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                file.write(chunk)
        if expected and digest.hexdigest() != expected:
            raise UserError(f"{title}: {url} sent a file with a wrong checksum; {advice}")
        Path(temporary).replace(target)
        temporary = None
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise UserError(
            f"{title}: missing at {target}, and the download failed ({reason}); {advice}"
        ) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def check_file(path: Path) -> None:
    """Raise `UserError` unless `path` has VGG16's convolutions; without h5py, is any HDF5 file."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(_HDF5_MAGIC))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if magic != _HDF5_MAGIC:
        raise UserError(f"{path}: not a Keras weights file (.h5); {_GIVE_A_FILE}")
    try:
        import h5py  # noqa: F401
    except ImportError:
        return
    read_convolutions(path)


def read_convolutions(path: Path) -> Convolutions:
    """VGG16's convolutions from a `.weights.h5` file of Keras 3 or a "notop" `.h5` file of Keras.

    A file of VGG16 with its top is accepted, too.

    Raises
    ------
    UserError
        For any other network's file.
    """
    import h5py
    import numpy as np

    convolutions: Convolutions = {}
    channels = 3
    try:
        with h5py.File(path, "r") as file:
            layers = _convolution_layers(file)
            if len(layers) != len(CONVOLUTIONS):
                raise _wrong_network_error(path, f"{len(layers)} convolutions, not 13")
            for (name, filters), arrays in zip(CONVOLUTIONS, layers, strict=True):
                kernel, bias = (np.asarray(a, dtype=np.float32) for a in arrays)
                expected = (3, 3, channels, filters)
                if kernel.shape != expected or bias.shape != (filters,):
                    raise _wrong_network_error(path, f"a {kernel.shape} kernel, not {expected}")
                convolutions[name] = kernel, bias
                channels = filters
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise UserError(f"{path}: incomplete or not a Keras weights file: {error}") from None
    return convolutions


def _wrong_network_error(path: Path, difference: str) -> UserError:
    return UserError(
        f"{path}: weights of another network than VGG16 ({difference}); {_GIVE_A_FILE}"
    )


def _convolution_layers(file: Any) -> list[list[Any]]:
    """Kernel and bias of each convolution in the file, in the order in which they are applied.

    Keras 3 writes `layers/conv2d_7/vars/0`, numbered in order of creation; before, it was
    `block3_conv1/block3_conv1_W_1:0`.
    """
    import h5py

    arrays_of_layer: dict[str, list[Any]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            parts = name.split("/")
            layer = parts[-3] if len(parts) > 2 and parts[-2] == "vars" else parts[0]
            arrays_of_layer.setdefault(layer, []).append(item)

    file.visititems(visit)
    layers = {
        layer: sorted(arrays, key=lambda a: -a.ndim)
        for layer, arrays in arrays_of_layer.items()
        if any(a.ndim == 4 for a in arrays)
    }
    return [layers[name] for name in sorted(layers, key=_natural)]


def _natural(name: str) -> list[tuple[str, int]]:
    """A sorting key in which conv2d < conv2d_2 < conv2d_10."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", name)]


def check_unchanged(weights: Weights) -> None:
    """Raise `UserError` unless the file of `weights` is there and still has their digest."""
    if weights.path is None:
        return
    if file_digest(Path(weights.path)) != weights.digest:
        raise UserError(
            f"{weights.path}: not the weights that the run was trained on (their digest differs); "
            "put that file back"
        )


def file_digest(path: Path) -> str:
    """The digest of the file's bytes that identifies weights."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
