"""The metrics to draw: the built-in ones, and any other that a training script recorded."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Name to (label, the event fields by preference, without cohort).
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "f": ("F-score", ("fscore_soft", "fscore")),
    "fscore": ("F as published", ("fscore",)),
    "soft": ("soft F", ("fscore_soft",)),
    "hard": ("hard F", ("fscore_hard",)),
    "ap": ("average precision", ("ap",)),
    "auroc": ("AUROC", ("auroc",)),
    "brier": ("Brier score", ("brier",)),
    "chosen": ("F at the chosen threshold", ("fscore_threshold",)),
    "loss": ("loss", ("loss",)),
    "accuracy": ("accuracy", ("accuracy",)),
    "learning_rate": ("learning rate", ("learning_rate",)),
}
F_METRICS = ("f", "fscore", "soft", "hard", "chosen")
LOWER_IS_BETTER = ("loss", "brier")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


def is_metric_name(name: str) -> bool:
    """Whether `name` can be a metric's, a built-in one's or one of another program."""
    return name in METRICS or _NAME.fullmatch(name) is not None


def label_of(metric: str) -> str:
    """The metric as the screen names it."""
    return METRICS[metric][0] if metric in METRICS else metric.replace("_", " ")


def fields_of(metric: str) -> tuple[str, ...]:
    """The event fields that may hold the metric, by preference, without their cohort."""
    return METRICS[metric][1] if metric in METRICS else (metric,)


def recorded_metrics(columns: Iterable[str]) -> list[str]:
    """The metrics beside the built-in ones that are in `columns`, such as `auc` for `test_auc`."""
    cohorts = ("train_", "test_")
    names = dict.fromkeys(
        column.removeprefix(cohort)
        for column in columns
        for cohort in cohorts
        if column.startswith(cohort)
    )
    own = {field for _, fields in METRICS.values() for field in fields}
    return [name for name in names if name not in own and name not in METRICS]
