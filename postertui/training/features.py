"""Outputs of a backbone's frozen layers for all posters: computed once per cohort, cached on disk.

data/features/<key>/<d>.npy   float32 (n, …), row for row with images-<d>.npy; after the array a
                              checksum of it, unless the file is from before there was one
data/features/<key>/<d>.lock  flock of the job that computes it; contains its progress
data/features/<key>/seconds   how many seconds a poster took, measured at the last cohort
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postertui.data.arrays import BROKEN_ARRAY_ERRORS
from postertui.data.dataset import Dataset
from postertui.data.feature_key import FEATURES, feature_key
from postertui.data.weights import Weights
from postertui.study import ALL_LAYERS
from postertui.system.atomic_files import sync, write_atomic
from postertui.system.errors import UserError
from postertui.system.os_errors import is_disk_full
from postertui.system.regular_files import check_is_file
from postertui.training import backbone_parts
from postertui.training.backend import graph, to_device, to_host
from postertui.training.feature_files import append_checksum, has_checksum, take_room
from postertui.training.vgg16 import frozen_network, load_convolutions

log = logging.getLogger(__name__)

#: Called with (cohort, posters done, posters in total).
ReportProgress = Callable[[int, int, int], None]

BATCH = 256

_SECONDS = "seconds"


class FeatureCache:
    """The features of one data set under one set of weights: layer `first` - 1 of the backbone.

    With `mirrored`, those of the posters' mirror images.
    """

    def __init__(
        self,
        dataset: Dataset,
        weights: Weights,
        first: int,
        root: Path | None = None,
        *,
        network: str = "vgg16",
        mirrored: bool = False,
    ) -> None:
        self._dataset = dataset
        self._weights = weights
        self._first = first
        base = dataset.path / FEATURES if root is None else root
        self._mirrored = mirrored
        self._network = network
        self.folder = base / feature_key(
            dataset, weights, first, network=network, mirrored=mirrored
        )
        self._checked: set[int] = set()
        self._extractor: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one poster's features."""
        return feature_shape(self._dataset.side, self._first, self._weights, self._network)

    @property
    def seconds_per_poster(self) -> float | None:
        """How long a poster took when its features were computed; None where that is unknown."""
        try:
            check_is_file(self.folder / _SECONDS)
            return float((self.folder / _SECONDS).read_text())
        except (OSError, ValueError):
            return None

    def load(self, cohorts: tuple[int, ...], notify: ReportProgress) -> list[NDArray[np.float32]]:
        """The cohorts' features, memory-mapped; missing ones are computed first.

        Several jobs may do this at once: each computes cohorts that no other job has locked, then
        waits for the rest, relaying their progress.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._write_error(error, self.folder) from None
        missing = [d for d in dict.fromkeys(cohorts) if self._read(d) is None]
        while missing:
            extracted = self._extract_one(missing, notify)
            missing = [d for d in missing if self._read(d) is None]
            if missing and not extracted:
                for cohort in missing:
                    self._relay_progress(cohort, notify)
                time.sleep(0.2)
        stored = [self._read(d) for d in cohorts]
        return [features for features in stored if features is not None]

    def _extract_one(self, cohorts: list[int], notify: ReportProgress) -> bool:
        for cohort in cohorts:
            with try_lock(self.folder / f"{cohort}.lock") as held:
                if held is not None:
                    if self._read(cohort, log_problem=True) is None:
                        self._extract(cohort, held, notify)
                    return True
        return False

    def _path(self, cohort: int) -> Path:
        return self.folder / f"{cohort}.npy"

    def _read(self, cohort: int, log_problem: bool = False) -> NDArray[np.float32] | None:
        """The cohort's features, or None where they are missing or damaged."""
        path = self._path(cohort)
        expected = (self._dataset.posters([cohort]), *self.row_shape)
        try:
            check_is_file(path)
            features = np.load(path, mmap_mode="r", allow_pickle=False)
            if features.shape != expected or features.dtype != np.float32:
                problem = f"has the shape {features.shape}, not {expected}"
            elif cohort not in self._checked and not has_checksum(path, features):
                problem = "is damaged"
            else:
                self._checked.add(cohort)
                return features  # type: ignore[no-any-return]
        except FileNotFoundError:
            return None
        except (OSError, *BROKEN_ARRAY_ERRORS):
            problem = "is incomplete"
        if log_problem:
            log.warning("%s %s; it is computed again", path, problem)
        return None

    def _extract(self, cohort: int, held: int, notify: ReportProgress) -> None:
        total = self._dataset.posters([cohort])
        # Reported out here, so that a full disk of the runs is not taken for one of the features.
        with closing(self._write_features(cohort, held)) as progress:
            for done in progress:
                notify(cohort, done, total)

    def _write_features(self, cohort: int, held: int) -> Generator[int]:
        """Compute and write the cohort's features; how many posters are done, from time to time."""
        images = self._dataset.images(cohort)
        if self._mirrored:
            images = mirror(images)
        total = len(images)
        path = self._path(cohort)
        drafts = f".{cohort}.npy."
        # Whoever has the cohort's lock is the only one who writes: others were killed.
        for stale in self.folder.glob(f"{drafts}*"):
            stale.unlink(missing_ok=True)
        temporary = path.with_name(f"{drafts}{os.getpid()}")
        if self._extractor is None:
            self._extractor = feature_extractor(
                self._dataset.side, self._first, self._weights, network=self._network
            )
        began = time.perf_counter()
        try:
            features = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.float32, shape=(total, *self.row_shape)
            )
            take_room(temporary)
            for start in range(0, total, BATCH):
                done = min(start + BATCH, total)
                features[start:done] = self._extractor(images[start:done])
                os.pwrite(held, f"{done:>12} {total:>12}".encode(), 0)
                yield done
            features.flush()
            append_checksum(temporary, features)
            del features
            sync(temporary)
            temporary.replace(path)
            self._checked.add(cohort)
            if total:
                seconds = (time.perf_counter() - began) / total
                write_atomic(self.folder / _SECONDS, f"{seconds:.6g}".encode(), private=False)
        except OSError as error:
            raise self._write_error(error, path) from None
        finally:
            temporary.unlink(missing_ok=True)

    def _write_error(self, error: OSError, path: Path) -> Exception:
        """What to raise where `path` cannot be written; for lack of room, runs wait."""
        if is_disk_full(error):
            return OSError(error.errno, error.strerror, os.fspath(self.folder))
        return UserError(f"{path}: cannot be written: {error.strerror}", exit_code=1)

    def _relay_progress(self, cohort: int, notify: ReportProgress) -> None:
        try:
            done, total = (self.folder / f"{cohort}.lock").read_text().split()
        except (OSError, ValueError):
            return
        notify(cohort, int(done), int(total))


def feature_extractor(
    side: int, first: int, weights: Weights, batch: int = BATCH, network: str = "vgg16"
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """Make a function from up to `batch` images to their features.

    It pads to full batches, so that a poster's features do not depend on how many are with it.
    Images themselves, scaled, are the features before layer 1.
    """
    if first == 1:
        return scale_pixels
    if network == "vgg16":
        frozen = frozen_network(side, first, load_convolutions(weights))
        compute = graph(lambda x: frozen(x, training=False))
    else:
        compute = graph(backbone_parts.frozen_part(network, side, first, weights))

    def extract(images: NDArray[Any]) -> NDArray[np.float32]:
        padded = np.zeros((batch, *images.shape[1:]), np.float32)
        padded[: len(images)] = scale_pixels(images)
        return to_host(compute(to_device(padded)))[: len(images)]

    return extract


def mirror(images: NDArray[Any]) -> NDArray[Any]:
    """Images (n, height, width, channels) with left and right exchanged, as a view."""
    return images[:, :, ::-1]


def scale_pixels(images: NDArray[Any]) -> NDArray[np.float32]:
    """Pixels in 0..1, without ImageNet's preprocessing, as in 2017."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32)


def feature_shape(
    side: int, first: int, weights: Weights, network: str = "vgg16"
) -> tuple[int, ...]:
    """The shape of one image's output of the network's layer `first` - 1."""
    if network not in ("vgg16", "scratch"):
        return backbone_parts.output_shape(network, side, first, weights)
    if first == ALL_LAYERS:
        return (512,)
    pools = sum(first > pool for pool in (3, 6, 10, 14))
    channels = (3, 64, 128, 256, 512, 512)[sum(first > conv for conv in (1, 4, 7, 11, 15))]
    if first == 1:
        channels = 3
    return (side // 2**pools, side // 2**pools, channels)


@contextmanager
def try_lock(path: Path) -> Iterator[int | None]:
    """Lock `path` for this process; yields its descriptor, or None where another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
