"""`dataset.json`: what a data folder holds."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from postertui.system.errors import UserError
from postertui.system.regular_files import check_is_file

DESCRIPTION = "dataset.json"
DATASET_FORMAT = 1


class CohortInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cohort's size and digest. `rows` equals `posters`; readers of before expect it."""

    posters: int
    rows: int
    images_digest: str


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `dataset.json`.

    `mirror`: earlier versions could add mirror images to all cohorts, which is refused by now.
    """

    format: int = DATASET_FORMAT
    genres: tuple[str, ...]
    side: int
    mirror: bool = False
    cohorts: dict[str, CohortInfo]
    fingerprint: str
    source: dict[str, str] = {}


def read_description(folder: Path) -> DatasetInfo:
    """The description of the data folder. Raises `UserError` where it is missing or damaged."""
    file = folder / DESCRIPTION
    try:
        check_is_file(file)
        info = msgspec.json.decode(file.read_bytes(), type=DatasetInfo)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a data set's description: {error}") from None
    if info.format > DATASET_FORMAT:
        raise UserError(f"{file}: written by a newer postertui (format {info.format}); upgrade")
    if info.mirror:
        raise UserError(
            f"{file}: built with --mirror, which also doubled the test cohort; build the data "
            'again without it and mirror in training alone: augment = "mirror" in a variant'
        )
    if not all(re.fullmatch(r"\d", d) for d in info.cohorts):
        raise UserError(f"{file}: a cohort is a digit, not {', '.join(info.cohorts)}")
    return info
