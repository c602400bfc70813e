"""What the user has chosen to see; kept between sessions."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from postertui.dashboard.state.metrics import is_metric_name

#: The columns that can be compared, with their labels.
COMPARED = {
    "variant": "variant",
    "regularizer": "Regularizer",
    "fc": "FC1×FC2",
    "family": "family",
    "seed": "seed",
    "study": "study",
}
#: What the table can be grouped by.
GROUPS = ("", "variant", "genre")
ChartMode = Literal["facet", "overlay"]
Seeds = Literal["each", "mean"]
#: What is on the main screen; `auto` is decided when the first runs are there.
Layout = Literal["auto", "summary", "both", "grid", "table"]
SMOOTHING = (0.0, 0.5, 0.8, 0.9)
_EPOCHS = re.compile(r"\s*(\d{0,6})\s*(?:[-–:]\s*(\d{0,6})\s*)?")


def epoch_range_error(text: str) -> str:
    """What is wrong with a range of epochs as typed; nothing where it is right."""
    match = _EPOCHS.fullmatch(text)
    if match is None:
        return f"not a range of epochs: {text.strip()[:20]}"
    first, last = parse_epochs(text)
    if last and last <= first:
        return "the last epoch must come after the first"
    return ""


def parse_epochs(text: str) -> tuple[int, int]:
    """First and last epoch of `5-20`, `5-` or `-20`; 0 where not given."""
    match = _EPOCHS.fullmatch(text)
    if match is None or not text.strip():
        return 0, 0
    first, last = (int(group or 0) for group in match.groups())
    return first, last


class ViewOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The view, apart from what is selected. `msgspec.structs.replace` makes a changed one.

    With `delta` curves are differences to the reference's. `first_epoch` and `last_epoch` of 0 mean
    the first and last there are. With `undefined_genres` the summary has the genres without a test
    F too. `without` maps a field to the values that are unticked in its checklist.
    """

    metric: str = "f"
    mode: ChartMode = "facet"
    compare: str = "variant"
    seeds: Seeds = "each"
    delta: bool = False
    train: bool = True
    references: bool = True
    shared_y: bool = True
    log_y: bool = False
    whole_y: bool = False
    smoothing: float = 0.0
    first_epoch: int = 0
    last_epoch: int = 0
    sort: str = "genre"
    reverse: bool = False
    group: str = ""
    layout: Layout = "auto"
    columns: int = 0
    filter: str = ""
    devices: bool = False
    undefined_genres: bool = False
    theme: str = ""
    without: dict[str, tuple[str, ...]] = {}

    def validated(self) -> ViewOptions:
        """These options, with what this version does not know set back to the default."""
        changes: dict[str, object] = {}
        if not is_metric_name(self.metric):
            changes["metric"] = "f"
        if self.compare not in COMPARED:
            changes["compare"] = "variant"
        if self.group not in GROUPS:
            changes["group"] = ""
        if not 0 <= self.smoothing < 1:
            changes["smoothing"] = 0.0
        kept = {k: v for k, v in self.without.items() if k in ("variant", "genre")}
        return msgspec.structs.replace(self, **changes, without=kept)
