"""A checkpoint is whole, or it is refused in one way that makes the run start over."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from postertui.training.learning_rate import RateState

SHAPES = [(6, 4), (4,), (4, 1)]


def make_checkpoint(shapes: list[tuple[int, ...]]) -> Checkpoint:
    arrays = [np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for shape in shapes]
    return Checkpoint("digest", 3, 30, RateState(0.001), arrays, arrays, arrays, arrays)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "checkpoint"
    save_checkpoint(path, make_checkpoint(SHAPES))
    return path.read_bytes()


def as_loaded(path: Path) -> bytes:
    """What a checkpoint holds, to compare."""
    loaded = load_checkpoint(path, "digest", SHAPES)
    arrays = b"".join(a.tobytes() for group in loaded[-4:] for a in group)
    return repr(loaded[:4]).encode() + arrays


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_flipped_bits_and_cuts(data: st.DataObject, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(whole)
    good = as_loaded(path)
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "zeros"])):
            case "flip":
                damaged[position] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                damaged = damaged[: max(1, position)]
            case _:
                damaged[position:] = bytes(len(damaged) - position)
    path.write_bytes(damaged)
    try:
        assert as_loaded(path) == good
    except UserError as error:
        assert "\n" not in str(error)


def test_lost_end_of_the_directory(whole: bytes, tmp_path: Path) -> None:
    """The comment of the last tensor before the best weights seems to hold those of the others."""
    entry = whole.rfind(b"PK\x01\x02", 0, whole.rfind(b"best_0"))
    before = whole.rfind(b"PK\x01\x02", 0, entry)
    damaged = bytearray(whole)
    damaged[before + 33] ^= 1  # the high byte of the length of its comment
    (tmp_path / "checkpoint").write_bytes(damaged)
    with pytest.raises(UserError, match="tensors are missing"):
        load_checkpoint(tmp_path / "checkpoint", "digest", SHAPES)


@pytest.mark.parametrize(
    "missing", ["format", "digest", "progress", "weights_2", "m_1", "v_0", "best_1"]
)
def test_missing_tensors(missing: str, whole: bytes, tmp_path: Path) -> None:
    arrays = dict(np.load(io.BytesIO(whole)))
    del arrays[missing]
    np.savez(tmp_path / "checkpoint.npz", **arrays)
    with pytest.raises(UserError, match="damaged checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.npz", "digest", SHAPES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weights_0", np.zeros((3, 3), np.float32)),
        ("m_0", np.zeros((6, 4), np.int64)),
        ("progress", np.full(7, np.nan)),
        ("format", np.array([1, -1, 0])),
        ("format", np.array([1.5, 1, 0])),
        ("digest", np.array(["x"])),
    ],
)
def test_other_tensors(name: str, value: NDArray[Any], whole: bytes, tmp_path: Path) -> None:
    arrays = dict(np.load(io.BytesIO(whole))) | {name: value}
    np.savez(tmp_path / "checkpoint.npz", **arrays)
    try:
        load_checkpoint(tmp_path / "checkpoint.npz", "digest", SHAPES)
    except UserError:
        return
    assert name == "format", "only a format of 1.5 reads as the whole number"


@pytest.mark.parametrize(
    "content", [b"", b"PK", bytes(1000), b"\x93NUMPY", b"not an archive", b"\x80\x04N."]
)
def test_other_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(content)
    with pytest.raises(UserError):
        load_checkpoint(tmp_path / "checkpoint", "digest", SHAPES)


def test_archive_that_needs_a_password_or_another_program(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "checkpoint"
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name), compress_type=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        position = data.find(signature)
        while position >= 0:
            data[position + flags] |= 1  # "encrypted"
            position = data.find(signature, position + 1)
    path.write_bytes(data)
    with pytest.raises(UserError, match="RuntimeError"):
        load_checkpoint(path, "digest", SHAPES)
