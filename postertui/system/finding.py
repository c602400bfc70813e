"""One line of what `postertui doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the result.

    Parameters
    ----------
    area
        What was examined, in a word.
    mend
        What to do where it is not ok.
    """

    area: str
    status: Status
    text: str
    mend: str = ""
