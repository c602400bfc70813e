"""How figures are drawn, the same for all of a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from postertui.figures.palettes import Palette, palette_colours
from postertui.system.errors import UserError

Baseline = Literal["stratified", "always"]

METRIC_LABELS: dict[str, str] = {
    "fscore": "F score",
    "fscore_soft": "soft F score, whole cohort",
    "fscore_hard": "hard F score, whole cohort",
    "fscore_threshold": "F score at the threshold chosen on validation",
    "ap": "average precision",
    "auroc": "AUROC",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "loss": "loss",
}


MAX_INCHES = 200


@dataclass(frozen=True)
class FigureOptions:
    """What may differ from the published look.

    Parameters
    ----------
    strict
        Draws exactly what R drew, at whatever size; it goes with none of the others.
    baselines
        The dummies whose F is drawn as a line: `stratified` (the base rate m) and `always`
        (2m/(1+m)).
    seed_lines
        Draws single seeds as thin lines behind their mean.
    width, height
        In inches; they overrule the figure's own.
    """

    strict: bool = False
    palette: Palette = "hue"
    baselines: tuple[Baseline, ...] = ("stratified",)
    seed_lines: bool = False
    metric: str = "fscore"
    width: float | None = None
    height: float | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", self.metric, re.ASCII):
            raise UserError(f"metric `{self.metric[:40]}`: there are {', '.join(METRIC_LABELS)}")
        if self.palette not in ("hue", "okabe-ito"):
            raise UserError(f"palette `{self.palette}`: there are hue, okabe-ito")
        for baseline in self.baselines:
            if baseline not in ("stratified", "always"):
                raise UserError(f"baseline `{baseline}`: there are stratified, always")
        extras = (self.palette, self.baselines, self.seed_lines, self.metric)
        if self.strict and extras != ("hue", ("stratified",), False, "fscore"):
            raise UserError(
                "--strict-published draws what R drew; leave out --palette, --baseline, "
                "--seed-lines and --metric"
            )
        for side in (self.width, self.height):
            if side is not None and not 1 <= side <= MAX_INCHES:
                raise UserError(f"width and height are 1 to {MAX_INCHES} inches, not {side:g}")

    @property
    def metric_label(self) -> str:
        """The metric on an axis; of another program's metric, its name."""
        return METRIC_LABELS.get(self.metric, self.metric.replace("_", " "))

    def check_columns(self, columns: Iterable[str]) -> None:
        """Raise `UserError` where a table with `columns` does not have the metric."""
        names = set(columns)
        if f"test_{self.metric}" not in names:
            in_table = {name.removeprefix("test_") for name in names if name.startswith("test_")}
            labelled = [metric for metric in METRIC_LABELS if metric in in_table]
            others = sorted(in_table - METRIC_LABELS.keys() - {"base_rate", "cohorts"})
            metrics = ", ".join([*labelled, *others[:12]])
            raise UserError(
                f"metric `{self.metric}`: the table has no test_{self.metric}; it has {metrics}"
            )

    @property
    def is_fscore(self) -> bool:
        """Whether base rates and always-yes F can be read off the same axis."""
        return self.metric.startswith("fscore")

    def split_colours(self) -> Mapping[str, str]:
        """The colours of test and train, in the order of the legend."""
        if self.palette == "okabe-ito":
            return {"Test": "#D55E00", "Train": "#0072B2"}
        return dict(zip(("Test", "Train"), palette_colours("hue", 2), strict=True))

    def series_colours(self, series: list[str]) -> Mapping[str, str]:
        return dict(zip(series, palette_colours(self.palette, len(series)), strict=True))
