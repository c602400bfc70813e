"""`dataset.json`: what a data folder holds."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from postertui.data.details.info import DetailsInfo
from postertui.system.errors import UserError
from postertui.system.regular_files import check_is_file

DESCRIPTION = "dataset.json"
DATASET_FORMAT = 1


def images_file(cohort: int, side: int, first_side: int) -> str:
    """The name of the file with a cohort's images at `side`."""
    return f"images-{cohort}.npy" if side == first_side else f"images-{cohort}-{side}.npy"


class CohortInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cohort's size and digest. `rows` equals `posters`; readers of before expect it."""

    posters: int
    rows: int
    images_digest: str


class SideInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A further side of the posters.

    Parameters
    ----------
    images_digests
        The digest of each cohort's images.
    fingerprint
        That which a folder of this side alone would have.
    """

    images_digests: dict[str, str]
    fingerprint: str


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `dataset.json`.

    `side` and the digests of `cohorts` are of the first side, `sides` has the further ones.
    `mirror`: earlier versions could add mirror images to all cohorts, which is refused by now.
    `details`: what is known of the posters beside their images.
    """

    format: int = DATASET_FORMAT
    genres: tuple[str, ...]
    side: int
    mirror: bool = False
    cohorts: dict[str, CohortInfo]
    fingerprint: str
    source: dict[str, str] = {}
    details: DetailsInfo | None = None
    sides: dict[str, SideInfo] = {}

    @property
    def all_sides(self) -> tuple[int, ...]:
        """The sides that there are, in pixels, the first one first."""
        return (self.side, *map(int, self.sides))

    def at_side(self, side: int) -> DatasetInfo:
        """The description of a folder with the posters at `side`, one of `all_sides`, alone."""
        if side == self.side:
            return msgspec.structs.replace(self, sides={})
        further = self.sides[str(side)]
        cohorts = {
            digit: msgspec.structs.replace(info, images_digest=further.images_digests[digit])
            for digit, info in self.cohorts.items()
        }
        return msgspec.structs.replace(
            self, side=side, cohorts=cohorts, fingerprint=further.fingerprint, sides={}
        )


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
    for side, further in info.sides.items():
        if not re.fullmatch(r"[1-9]\d{0,3}", side):
            raise UserError(f"{file}: a side is a number of pixels, not {side}")
        if further.images_digests.keys() != info.cohorts.keys():
            raise UserError(f"{file}: the posters of {side} pixels are of other cohorts")
    return info
