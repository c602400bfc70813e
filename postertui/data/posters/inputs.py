"""Posters and labels brought together, before any poster is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postertui.data.posters.details import DetailsInput, read_details_input
from postertui.data.posters.images import UnreadableImageError, check_header, quiet_decoders
from postertui.data.posters.labels import LabelOptions, PosterLabels
from postertui.data.posters.scan import PosterFiles
from postertui.system.errors import UserError


@dataclass(frozen=True)
class PosterInputs:
    """The poster files, the labels, and which posters have labels (indices into `files`)."""

    files: PosterFiles
    labels: PosterLabels
    labelled: NDArray[np.intp]
    details: DetailsInput | None = None

    @cached_property
    def unlabelled(self) -> tuple[int, ...]:
        """The ids of posters without a label."""
        return tuple(np.setdiff1d(self.files.ids, self.labels.ids, assume_unique=True).tolist())

    @cached_property
    def posterless(self) -> tuple[int, ...]:
        """The ids of labels without a poster."""
        return tuple(np.setdiff1d(self.labels.ids, self.files.ids, assume_unique=True).tolist())


def read_inputs(
    posters: Path, labels: Path, options: LabelOptions | None = None, details: Path | None = None
) -> PosterInputs:
    """The posters below a folder, their labels, and their details.

    Parameters
    ----------
    labels
        A table of ids and genres.
    options
        How the table is to be read; None finds out.
    details
        A table of what is known of the posters beside the picture.

    Raises
    ------
    UserError
        Where one of them cannot be read, or no poster has a label.
    """
    options = options or LabelOptions()
    files = PosterFiles(posters, ignored=labels, strict=options.strict)
    table = PosterLabels(labels, files.ids, options)
    labelled = np.flatnonzero(np.isin(files.ids, table.ids, assume_unique=True))
    if not len(labelled):
        raise UserError(
            f"{labels}: none of its {len(table.ids)} ids (column `{table.summary.id_column}`, "
            f"such as {table.ids[0]}) is the name of one of the {len(files)} posters in {posters} "
            f"(such as {files.path(0).name})"
        )
    read = None if details is None else read_details_input(details, files.ids[labelled])
    return PosterInputs(files, table, labelled, read)


def unreadable_headers(inputs: PosterInputs) -> list[tuple[str, str]]:
    """The labelled posters that do not even begin as an image, with the reason."""
    unreadable = []
    with quiet_decoders():
        for index in inputs.labelled.tolist():
            path = inputs.files.path(index)
            try:
                check_header(path)
            except UnreadableImageError as error:
                unreadable.append((str(path), str(error)))
    return unreadable
