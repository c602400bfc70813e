"""Sending posters, features and weights to a node: each content once, into a local cache.

<home>/bundles/<bundle>/       a data folder with what some runs need of it, and `weights.h5`
<home>/bundles/<bundle>.lock   flock held by the agent of a node that fetches it

A bundle is named by a digest of what identifies its content. Where the node sees the run's own data
folder with the same content (a shared path), that folder is used and nothing is sent.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from postertui.data.details.info import FILE as DETAILS
from postertui.data.feature_key import FEATURES, feature_key
from postertui.runs.run_data import open_run_data
from postertui.runs.spec import RunSpec
from postertui.study import ALL_LAYERS
from postertui.supervisor.backends.ray.file_messages import (
    BundleUnavailable,
    FetchBundle,
    FilePiece,
)
from postertui.supervisor.backends.ray.link import Link
from postertui.supervisor.backends.ray.message_base import Rejected
from postertui.system.errors import UserError
from postertui.system.locks import FileLock

#: Files are sent in pieces of this size, in bytes.
PIECE_SIZE = 1 << 20

WEIGHTS = "weights.h5"

#: Seconds to wait for a piece before the driver counts as lost.
PIECE_PATIENCE = 120.0


class BundleSource(Protocol):
    """The driver to fetch from, and the cache to store in."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def home(self) -> str: ...


def needs_images(spec: RunSpec) -> bool:
    """Whether the run needs the posters themselves, not only the frozen backbone's features."""
    variant = spec.variant
    if variant.inputs == "details":
        return False
    return (
        variant.backbone_name != "vgg16"
        or variant.frozen_layers < ALL_LAYERS - 1
        or variant.trainable_layers > 1
        or variant.train_from != ""
        or variant.needs_mirrored
    )


def bundle_name(spec: RunSpec) -> str:
    """The name of the bundle that the run needs; equal for runs that need the same data."""
    cohorts = sorted(spec.all_cohorts)
    weights = "" if spec.variant.backbone_name == "scratch" else spec.weights.digest
    parts: tuple[object, ...] = (2, spec.data_fingerprint, cohorts, weights, needs_images(spec))
    if spec.details_digest:
        parts += (spec.details_digest, spec.variant.inputs == "details")
    identity = repr(parts)
    return hashlib.sha256(identity.encode()).hexdigest()[:24]


def bundle_files(spec: RunSpec) -> Iterator[tuple[str, Path | bytes]]:
    """The bundle's files by name, from the run's data folder.

    Where all features that the run needs are cached, they replace images and weights. Raises
    `UserError` where the folder's content is no longer what the run was planned with.
    """
    dataset = open_run_data(spec)
    cohorts = sorted(spec.all_cohorts)
    yield "dataset.json", msgspec.json.encode(dataset.describe())
    for digit in cohorts:
        yield f"labels-{digit}.npy", npy_bytes(dataset.labels(digit))
        yield f"ids-{digit}.npy", npy_bytes(dataset.ids(digit))
    if spec.details_digest:
        yield DETAILS, dataset.details_path
    if spec.variant.inputs == "details":
        return
    if not needs_images(spec):
        key = feature_key(dataset, spec.weights, ALL_LAYERS)
        features = {d: dataset.path / FEATURES / key / f"{d}.npy" for d in cohorts}
        if all(path.is_file() for path in features.values()):
            for digit, path in features.items():
                yield f"features/{key}/{digit}.npy", path
            return
    for digit in cohorts:
        yield f"images-{digit}.npy", dataset.images_path(digit)
    if spec.weights.path is not None and spec.variant.backbone_name != "scratch":
        yield weights_name(spec), Path(spec.weights.path)


def weights_name(spec: RunSpec) -> str:
    """The name of the weights in a bundle: Keras distinguishes its two formats by a name's end."""
    in_todays_format = (spec.weights.path or "").endswith(".weights.h5")
    reads_either = spec.variant.backbone_name in ("vgg16", "scratch")
    return f"network.{WEIGHTS}" if in_todays_format and not reads_either else WEIGHTS


def npy_bytes(array: object) -> bytes:
    """The array as the content of a `.npy` file."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def pieces(
    bundle: str, files: Iterable[tuple[str, Path | bytes]]
) -> Iterator[tuple[FilePiece, bytes]]:
    """The messages that carry a bundle. Raises `OSError` where a file cannot be read."""
    for name, content in files:
        if isinstance(content, bytes):
            yield FilePiece(bundle, name), content
            continue
        with content.open("rb") as file:
            while piece := file.read(PIECE_SIZE):
                yield FilePiece(bundle, name), piece
    yield FilePiece(bundle, "", last=True), b""


def stored_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a complete bundle, by name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".lock" not in path.name:
            yield str(path.relative_to(folder)), path


class BundleDraft:
    """A bundle that is being received; it is moved into place once it is complete."""

    def __init__(self, home: Path, bundle: str) -> None:
        bundles = home / "bundles"
        bundles.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._target = bundles / bundle
        self._folder = Path(tempfile.mkdtemp(prefix=".new-", dir=bundles))

    def add(self, message: FilePiece, piece: bytes) -> bool:
        """Write a piece; True for the last. Raises `OSError`, `UserError` for an unsafe name."""
        if message.last:
            if not self._target.exists():
                self._folder.replace(self._target)
            self.discard()
            return True
        path = (self._folder / message.name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise UserError(f"{message.name!r}: not a name inside a bundle")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("ab") as file:
            file.write(piece)
        return False

    def discard(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def bundle_folder(home: Path, bundle: str) -> Path:
    """The bundle's folder. Raises `UserError` where it is not a bundle's name."""
    if not bundle.isalnum():
        raise UserError(f"{bundle[:40]!r} is not a bundle's name")
    return home / "bundles" / bundle


def provide_data(
    spec: RunSpec, source: BundleSource, send_heartbeat: Callable[[], None]
) -> RunSpec:
    """The spec with paths that exist on this node, after fetching what is missing.

    `send_heartbeat` is called while waiting. Raises `UserError` where the data cannot be had, and
    `OSError`.
    """
    if sees_run_data(spec):
        return spec
    home = Path(source.home)
    bundle = bundle_name(spec)
    folder = bundle_folder(home, bundle)
    if not folder.is_dir():
        lock_path = folder.with_suffix(".lock")
        lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(lock_path) as lock:
            while not lock.acquire():
                send_heartbeat()
            if not folder.is_dir():
                _fetch(bundle, source, send_heartbeat)
    weights = spec.weights
    if weights.path is not None:
        path = folder / weights_name(spec)
        weights = msgspec.structs.replace(weights, path=str(path))
    return msgspec.structs.replace(spec, data=str(folder), weights=weights)


def sees_run_data(spec: RunSpec) -> bool:
    """Whether this machine sees the run's own data folder and weights."""
    if spec.weights.path is not None and not Path(spec.weights.path).is_file():
        return False
    try:
        open_run_data(spec)
    except (UserError, OSError):
        return False
    return True


def _fetch(bundle: str, source: BundleSource, send_heartbeat: Callable[[], None]) -> None:
    link = Link.connect(source.host, source.port, bytes.fromhex(source.key))
    draft = BundleDraft(Path(source.home), bundle)
    try:
        link.send(FetchBundle(bundle))
        while True:
            frame = link.receive(PIECE_PATIENCE)
            send_heartbeat()
            if frame is None:
                raise UserError("the driver stopped sending the run's data")
            message, piece = frame
            match message:
                case FilePiece():
                    if draft.add(message, piece):
                        return
                case BundleUnavailable(reason=reason) | Rejected(reason=reason):
                    raise UserError(reason)
                case _:
                    pass
    finally:
        draft.discard()
        link.close()
