"""Building a data folder: decode every labelled poster, a cohort at a time, on all cores."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from postertui.data.description import (
    DESCRIPTION,
    CohortInfo,
    DatasetInfo,
    SideInfo,
    images_file,
)
from postertui.data.details.info import DetailsInfo
from postertui.data.digests import DIGEST, CohortDigests, fingerprint
from postertui.data.posters.decoder import Decoder, DecoderPool, Progress
from postertui.data.posters.details import details_info
from postertui.data.posters.images import (
    RESAMPLING,
    quiet_decoders,
)
from postertui.data.posters.inputs import PosterInputs, read_inputs
from postertui.data.posters.labels import LabelOptions
from postertui.data.posters.replace import replacement
from postertui.data.posters.row_writer import RowWriter
from postertui.system.errors import UserError

#: Rows of labels held at a time.
_LABEL_BLOCK = 65_536


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

    The old folder stays until the new one is whole. Memory does not grow with the posters, except
    for their labels and some 40 bytes of each.

    Parameters
    ----------
    labels
        A delimited text file or Parquet.
    sides
        In pixels; the first is that of variants that name none. Each is decoded apart, so that its
        images do not depend on the others.
    options
        How the labels are to be read; None for what they look like.
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
    table, files, labelled = inputs.labels, inputs.files, inputs.labelled
    cohorts: dict[str, CohortInfo] = {}
    digests: dict[int, list[CohortDigests]] = {side: [] for side in sides}
    with replacement(target) as draft, quiet_decoders(), DecoderPool() as pool:
        decoder = Decoder(pool, files, tuple(digests), len(labelled), progress)
        for digit in range(10):
            indices = labelled[files.ids[labelled] % 10 == digit]
            with ExitStack() as stack:
                images = {
                    side: stack.enter_context(
                        RowWriter(draft / images_file(digit, side, sides[0]), (side, side, 3))
                    )
                    for side in digests
                }
                ids = decoder.write(indices, list(images.values()))
            if not len(ids):
                for side in digests:
                    (draft / images_file(digit, side, sides[0])).unlink()
                continue
            np.save(draft / f"ids-{digit}.npy", ids)
            with RowWriter(draft / f"labels-{digit}.npy", (len(table.genres),)) as rows:
                for start in range(0, len(ids), _LABEL_BLOCK):
                    rows.append(table.matrix(ids[start : start + _LABEL_BLOCK]))
            cohorts[str(digit)] = CohortInfo(len(ids), len(ids), images[sides[0]].hexdigest)
            for side, writer in images.items():
                of_side = CohortDigests(digit, writer.hexdigest, rows.hexdigest, ids)
                digests[side].append(of_side)
        if not cohorts:
            path, reason = decoder.unreadable[0]
            raise UserError(
                f"{posters}: none of the {len(labelled)} labelled posters can be read; "
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
