"""The metrics that can be drawn."""

from __future__ import annotations

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
