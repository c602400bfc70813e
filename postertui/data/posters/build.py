"""Building a data folder: decode every labelled poster, a cohort at a time, on all cores."""

from __future__ import annotations

import csv
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.description import (
    DESCRIPTION,
    CohortInfo,
    DatasetInfo,
    SideInfo,
    images_file,
)
from postertui.data.details.info import DetailsInfo
from postertui.data.digests import DIGEST, CohortDigests, fingerprint
from postertui.data.posters.details import details_info
from postertui.data.posters.images import (
    RESAMPLING,
    UnreadableImageError,
    quiet_decoders,
    read_image,
)
from postertui.data.posters.inputs import PosterInputs, read_inputs
from postertui.data.posters.labels import LabelOptions
from postertui.data.posters.replace import replacement
from postertui.data.posters.scan import PosterFiles
from postertui.system.errors import UserError

#: Posters decoded per task: small enough to keep all cores busy and little in memory.
_BLOCK = 32
_MAX_PENDING_BLOCKS = 4 * len(os.sched_getaffinity(0))

#: Rows of labels held at a time.
_LABEL_BLOCK = 65_536

Progress = Callable[[int, int], None]

#: A poster at each side, or why it cannot be read.
Decoded = list[NDArray[np.uint8]] | UnreadableImageError


@dataclass(frozen=True)
class BuildReport:
    """What a build used and what it left out.

    `unreadable` pairs a poster with the reason; `unlabelled` and `posterless` are ids that only
    the posters or only the labels have. `inputs` is what was read of both.
    """

    posters: int
    unreadable: tuple[tuple[str, str], ...]
    unlabelled: tuple[int, ...]
    posterless: tuple[int, ...]
    inputs: PosterInputs


def build_dataset(
    posters: Path,
    labels: Path,
    target: Path,
    *,
    sides: Sequence[int] = (48,),
    options: LabelOptions | None = None,
    details: Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[PosterInputs], None] | None = None,
) -> BuildReport:
    """Build the data folder `target` from the posters below a folder and a table of labels.

    The old folder stays until the new one is whole. Memory does not grow with the posters, but for
    their labels and some 40 bytes of each.

    Parameters
    ----------
    labels
        A delimited text file or Parquet.
    sides
        In pixels; the first is that of variants that name none. Each is decoded apart, so that its
        images do not depend on the others.
    details
        A table of what is known of the posters beside the picture.
    progress
        Called with how many posters are done and how many there are.
    announce
        Called once with what was read, before the first poster is decoded.

    Raises
    ------
    UserError
        Where an input cannot be used.
    """
    inputs = read_inputs(posters, labels, options, details)
    if announce:
        announce(inputs)
    table, files, wanted = inputs.labels, inputs.files, inputs.labelled
    cohorts: dict[str, CohortInfo] = {}
    digests: dict[int, list[CohortDigests]] = {side: [] for side in sides}
    with replacement(target) as draft, quiet_decoders(), _DecoderPool() as pool:
        decoder = _Decoder(pool, files, tuple(digests), len(wanted), progress)
        for digit in range(10):
            indices = wanted[files.ids[wanted] % 10 == digit]
            with ExitStack() as stack:
                images = {
                    side: stack.enter_context(
                        _RowWriter(draft / images_file(digit, side, sides[0]), (side, side, 3))
                    )
                    for side in digests
                }
                ids = decoder.write(indices, list(images.values()))
            if not len(ids):
                for side in digests:
                    (draft / images_file(digit, side, sides[0])).unlink()
                continue
            np.save(draft / f"ids-{digit}.npy", ids)
            with _RowWriter(draft / f"labels-{digit}.npy", (len(table.genres),)) as rows:
                for start in range(0, len(ids), _LABEL_BLOCK):
                    rows.append(table.matrix(ids[start : start + _LABEL_BLOCK]))
            cohorts[str(digit)] = CohortInfo(len(ids), len(ids), images[sides[0]].hexdigest)
            for side, writer in images.items():
                of_side = CohortDigests(digit, writer.hexdigest, rows.hexdigest, ids)
                digests[side].append(of_side)
        if not cohorts:
            path, reason = decoder.unreadable[0]
            raise UserError(
                f"{posters}: none of the {len(wanted)} labelled posters can be read; "
                f"the first, {path}: {reason}"
            )
        report = BuildReport(
            posters=sum(c.posters for c in cohorts.values()),
            unreadable=tuple(decoder.unreadable),
            unlabelled=inputs.unlabelled,
            posterless=inputs.posterless,
            inputs=inputs,
        )
        _write_left_out(draft / "left-out.csv", report)
        info = DatasetInfo(
            genres=table.genres,
            side=sides[0],
            cohorts=cohorts,
            fingerprint=fingerprint(table.genres, sides[0], digests[sides[0]]),
            sides={
                str(side): SideInfo(
                    {str(cohort.digit): cohort.images for cohort in of_side},
                    fingerprint(table.genres, side, of_side),
                )
                for side, of_side in digests.items()
                if side != sides[0]
            },
            source={
                "posters": str(posters.resolve()),
                "labels": str(labels.resolve()),
                "resampling": RESAMPLING,
                "digest": DIGEST,
            },
            details=_write_details(draft, inputs, digests[sides[0]]) if inputs.details else None,
        )
        encoded = msgspec.json.format(msgspec.json.encode(info))
        (draft / DESCRIPTION).write_bytes(encoded + b"\n")
    return report


def _write_details(draft: Path, inputs: PosterInputs, cohorts: list[CohortDigests]) -> DetailsInfo:
    """Write the details of the posters that were built, and describe them."""
    assert inputs.details is not None
    ids = np.concatenate([cohort.ids for cohort in cohorts])
    details = inputs.details.of_posters(ids)
    details.write(draft)
    return details_info(details, inputs.labels.matrix(ids), ids, inputs.labels.genres)


class _Decoder:
    """Decodes posters on all cores, in order, with few of them in memory at a time."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        files: PosterFiles,
        sides: tuple[int, ...],
        total: int,
        progress: Progress | None,
    ) -> None:
        self._pool = pool
        self._files = files
        self._sides = sides
        self._total = total
        self._progress = progress
        self._done = 0
        self.unreadable: list[tuple[str, str]] = []

    def write(self, indices: NDArray[np.intp], images: list[_RowWriter]) -> NDArray[np.int64]:
        """Write the posters at `indices` that can be read, at each side; the ids of those."""
        kept: list[int] = []
        for block, decoded in self._blocks(indices):
            rows = []
            for index, at_sides in zip(block, decoded, strict=True):
                if isinstance(at_sides, UnreadableImageError):
                    self.unreadable.append((str(self._files.path(index)), str(at_sides)))
                else:
                    kept.append(index)
                    rows.append(at_sides)
            for number, writer in enumerate(images):
                writer.append([at_sides[number] for at_sides in rows])
            self._done += len(block)
            if self._progress:
                self._progress(self._done, self._total)
        return self._files.ids[np.array(kept, np.intp)]

    def _blocks(self, indices: NDArray[np.intp]) -> Iterator[tuple[list[int], list[Decoded]]]:
        pending: deque[tuple[list[int], Future[list[Decoded]]]] = deque()
        for start in range(0, len(indices), _BLOCK):
            block = indices[start : start + _BLOCK].tolist()
            pending.append((block, self._pool.submit(self._read, block)))
            if len(pending) > _MAX_PENDING_BLOCKS:
                first, future = pending.popleft()
                yield first, future.result()
        for first, future in pending:
            yield first, future.result()

    def _read(self, block: list[int]) -> list[Decoded]:
        images: list[Decoded] = []
        for index in block:
            try:
                path = self._files.path(index)
                images.append([read_image(path, side) for side in self._sides])
            except UnreadableImageError as error:
                images.append(error)
        return images


class _DecoderPool(ThreadPoolExecutor):
    """One thread a core: Pillow releases the GIL while it decodes and shrinks."""

    def __init__(self) -> None:
        super().__init__(len(os.sched_getaffinity(0)), thread_name_prefix="decode")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown(wait=True, cancel_futures=True)


class _RowWriter:
    """Writes uint8 rows of one shape to a .npy file without knowing beforehand how many.

    The header has room for any number of rows, so that it can be written again at the end.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...]) -> None:
        self._file = path.open("wb")
        self._row_shape = row_shape
        self._digest = hashlib.sha256()
        self.rows = 0
        self._write_header()
        self._start = self._file.tell()

    @property
    def hexdigest(self) -> str:
        """A digest of all rows so far."""
        return self._digest.hexdigest()[:32]

    def append(self, rows: list[NDArray[np.uint8]] | NDArray[np.uint8]) -> None:
        if not len(rows):
            return
        data = np.ascontiguousarray(rows)
        self._file.write(data.data)
        self._digest.update(data.data)
        self.rows += len(data)

    def _write_header(self) -> None:
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(
            self._file,
            {"shape": (self.rows, *self._row_shape), "fortran_order": False, "descr": "|u1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._file:
            self._write_header()
            if self._file.tell() != self._start:
                raise OSError("the header of the array grew over its rows")


def _write_left_out(path: Path, report: BuildReport) -> None:
    """Everything that was left out, one line each."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("poster", "reason"))
        writer.writerows(report.unreadable)
        writer.writerows(report.inputs.files.left_out)
        writer.writerows(report.inputs.labels.summary.left_out)
        writer.writerows((i, "a poster without a label") for i in report.unlabelled)
        writer.writerows((i, "a label without a poster") for i in report.posterless)
