"""Posters and features on their way to a node: once each, by content, into a local cache.

<home>/bundles/<bundle>/   a data folder with what some runs need of it, and `weights.h5`
<home>/bundles/<bundle>.lock   flock held by the one agent of a node that fetches it

A bundle is named by the digest of what identifies its content. Where the run's own data folder is
there on the node with the same content (a shared path), that is used and nothing is sent.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from postertui.data.dataset import Dataset
from postertui.data.feature_key import feature_key
from postertui.runs.spec import RunSpec
from postertui.study import ALL_LAYERS
from postertui.supervisor.backends.ray.link import Link
from postertui.supervisor.backends.ray.protocol import Fetch, File, Missing, Refused
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A file travels in pieces of so many bytes.
PIECE = 1 << 20

WEIGHTS = "weights.h5"

#: Seconds to wait for a piece before the driver counts as gone.
PATIENCE = 120.0


class Source(Protocol):
    """Where to fetch from, and where to put it."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def home(self) -> str: ...


def needs_images(spec: RunSpec) -> bool:
    """Whether the run trains on more than what the whole frozen network makes of a poster."""
    return spec.variant.network == "scratch" or spec.variant.frozen_layers < ALL_LAYERS - 1


def bundle_name(spec: RunSpec) -> str:
    """The bundle that the run needs: equal for runs that need the same."""
    cohorts = sorted({*spec.train_cohorts, *spec.test_cohorts})
    weights = "" if spec.variant.network == "scratch" else spec.weights.digest
    identity = repr((1, spec.data_fingerprint, cohorts, weights, needs_images(spec)))
    return hashlib.sha256(identity.encode()).hexdigest()[:24]


def bundle_files(spec: RunSpec) -> Iterator[tuple[str, Path | bytes]]:
    """The bundle's files by name, from the run's data folder.

    Features, where there are all that the run needs, take the place of images and weights. Raises
    `UserError` where the folder is not what the run was asked for.
    """
    dataset = Dataset.open(Path(spec.data))
    if dataset.fingerprint != spec.data_fingerprint:
        raise UserError(f"{spec.data}: other data than when this run was asked for")
    cohorts = sorted({*spec.train_cohorts, *spec.test_cohorts})
    yield "dataset.json", msgspec.json.encode(dataset.describe())
    for digit in cohorts:
        yield f"labels-{digit}.npy", npy_bytes(dataset.labels(digit))
    if not needs_images(spec):
        key = feature_key(dataset, spec.weights, ALL_LAYERS)
        features = {d: dataset.path / "features" / key / f"{d}.npy" for d in cohorts}
        if all(path.is_file() for path in features.values()):
            for digit, path in features.items():
                yield f"features/{key}/{digit}.npy", path
            return
    for digit in cohorts:
        yield f"images-{digit}.npy", dataset.images_path(digit)
    if spec.weights.path is not None and spec.variant.network != "scratch":
        yield WEIGHTS, Path(spec.weights.path)


def npy_bytes(array: object) -> bytes:
    """The array as the content of a `.npy` file."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def pieces(bundle: str, files: Iterable[tuple[str, Path | bytes]]) -> Iterator[tuple[File, bytes]]:
    """The messages that carry a bundle. Raises `OSError` where a file cannot be read."""
    for name, content in files:
        if isinstance(content, bytes):
            yield File(bundle, name), content
            continue
        with content.open("rb") as file:
            while piece := file.read(PIECE):
                yield File(bundle, name), piece
    yield File(bundle, "", last=True), b""


def stored_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """What is in a bundle that is there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".lock" not in path.name:
            yield str(path.relative_to(folder)), path


class Draft:
    """A bundle that arrives; it takes its place once it is whole."""

    def __init__(self, home: Path, bundle: str) -> None:
        bundles = home / "bundles"
        bundles.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._target = bundles / bundle
        self._folder = Path(tempfile.mkdtemp(prefix=".new-", dir=bundles))

    def add(self, message: File, piece: bytes) -> bool:
        """Write a piece; True with the last. Raises `OSError`, `UserError` for a strange name."""
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
    """Where the bundle is, or will be."""
    if not bundle.isalnum():
        raise UserError(f"{bundle[:40]!r} is not a bundle's name")
    return home / "bundles" / bundle


def provide(spec: RunSpec, source: Source, alive: Callable[[], None]) -> RunSpec:
    """The spec with its data where this node has it, after fetching what is missing.

    `alive` is called from time to time. Raises `UserError` where it cannot be had, and `OSError`.
    """
    if is_shared(spec):
        return spec
    home = Path(source.home)
    bundle = bundle_name(spec)
    folder = bundle_folder(home, bundle)
    if not folder.is_dir():
        with _lock(folder.with_suffix(".lock"), alive):
            if not folder.is_dir():
                _fetch(bundle, source, alive)
    weights = spec.weights
    if weights.path is not None:
        path = folder / WEIGHTS
        weights = msgspec.structs.replace(weights, path=str(path))
    return msgspec.structs.replace(spec, data=str(folder), weights=weights)


def is_shared(spec: RunSpec) -> bool:
    """Whether this machine sees the run's own data folder and weights."""
    if spec.weights.path is not None and not Path(spec.weights.path).is_file():
        return False
    try:
        return Dataset.open(Path(spec.data)).fingerprint == spec.data_fingerprint
    except (UserError, OSError):
        return False


def _fetch(bundle: str, source: Source, alive: Callable[[], None]) -> None:
    link = Link.connect(source.host, source.port, bytes.fromhex(source.key))
    draft = Draft(Path(source.home), bundle)
    try:
        link.send(Fetch(bundle))
        while True:
            frame = link.receive(PATIENCE)
            alive()
            if frame is None:
                raise UserError("the driver stopped sending the run's data")
            message, piece = frame
            match message:
                case File():
                    if draft.add(message, piece):
                        return
                case Missing(reason=reason) | Refused(reason=reason):
                    raise UserError(reason)
                case _:
                    pass
    finally:
        draft.discard()
        link.close()


@contextmanager
def _lock(path: Path, alive: Callable[[], None]) -> Iterator[None]:
    import time

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                alive()
                time.sleep(0.1)
        yield
    finally:
        os.close(fd)
