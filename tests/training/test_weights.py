"""Files of weights: VGG16's in either of Keras' forms, and those of anything else refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from postertui.data.weights import (
    CONVOLUTIONS,
    Convolutions,
    download_imagenet,
    read_convolutions,
    resolve_weights,
)
from postertui.system.errors import UserError


def small_numbers() -> Convolutions:
    """VGG16's shapes; each array holds one number, so that a mix-up shows."""
    kernels, channels = {}, 3
    for number, (name, filters) in enumerate(CONVOLUTIONS):
        kernel = np.full((3, 3, channels, filters), number, np.float32)
        kernels[name] = kernel, np.full(filters, -number, np.float32)
        channels = filters
    return kernels


def write_keras3(path: Path, convolutions: Convolutions) -> None:
    with h5py.File(path, "w") as file:
        for number, arrays in enumerate(convolutions.values()):
            layer = "conv2d" if number == 0 else f"conv2d_{number}"
            for i, array in enumerate(arrays):
                file.create_dataset(
                    f"layers/{layer}/vars/{i}", data=array, compression="gzip", compression_opts=1
                )


def write_notop(path: Path, convolutions: Convolutions) -> None:
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in convolutions.items():
            for letter, array in (("W", kernel), ("b", bias)):
                file.create_dataset(
                    f"{name}/{name}_{letter}_1:0",
                    data=array,
                    compression="gzip",
                    compression_opts=1,
                )


@pytest.mark.parametrize("write", [write_keras3, write_notop])
def test_both_forms_are_read_in_the_networks_order(write: object, tmp_path: Path) -> None:
    assert callable(write)
    write(tmp_path / "vgg16.weights.h5", small_numbers())
    weights = read_convolutions(tmp_path / "vgg16.weights.h5")
    assert [float(kernel.flat[0]) for kernel, _ in weights.values()] == list(range(13))
    assert [float(bias[0]) for _, bias in weights.values()] == [-n for n in range(13)]
    assert list(weights) == [name for name, _ in CONVOLUTIONS]


def test_weights_of_another_network_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    few = dict(list(small_numbers().items())[:3])
    write_keras3(path, few)
    with pytest.raises(UserError, match=r"weights of another network than VGG16 \(3 conv") as error:
        resolve_weights(str(path))
    assert "--weights FILE, or --weights random" in str(error.value)
    assert "\n" not in str(error.value)


def test_kernels_of_other_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    thin = {n: (k[..., :8], b[:8]) for n, (k, b) in small_numbers().items()}
    write_keras3(path, thin)
    with pytest.raises(UserError, match="another network than VGG16"):
        resolve_weights(str(path))


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x89HDF\r\n\x1a\n and then nothing"])
def test_what_is_no_weights_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.h5: (incomplete or )?not a Keras weights file"):
        resolve_weights(str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights file; --weights takes imagenet, random"):
        resolve_weights(str(tmp_path / "missing.h5"))


def test_imagenet_is_fetched_whole_and_checked_or_not_at_all(tmp_path: Path) -> None:
    source = tmp_path / "source.h5"
    source.write_bytes(b"weights")
    target = tmp_path / "models" / "vgg16.h5"
    with pytest.raises(UserError, match="a file with a wrong checksum"):
        download_imagenet(target, source.as_uri(), "0" * 32)
    assert list(target.parent.iterdir()) == []
    download_imagenet(target, source.as_uri(), hashlib.md5(b"weights").hexdigest())
    assert target.read_bytes() == b"weights"
    with pytest.raises(UserError, match="the download failed"):
        download_imagenet(tmp_path / "x.h5", (tmp_path / "nowhere").as_uri())
    assert not (tmp_path / "x.h5").exists()


def test_random_weights_are_always_the_same() -> None:
    from postertui.training.vgg16 import random_convolutions

    assert resolve_weights("random") == resolve_weights("random")
    once, again = random_convolutions(), random_convolutions()
    assert all(np.array_equal(once[name][0], again[name][0]) for name in once)
