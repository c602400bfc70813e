"""From the names that other programs give to metrics to columns of the history table.

Keras' `val_f1_score`, PyTorch scripts' `valid/F1` and TensorBoard's `epoch_loss` all have a column
`<cohort>_<metric>`. A metric that the table does not know keeps its name behind the cohort's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

#: Parts of the names of metrics of which a smaller value is the better one.
_LOWER_IS_BETTER = ("loss", "brier")

#: What `val_…` of a program that has no test cohort is shown as.
Validation = Literal["test", "val"]

#: Names of metrics, in small letters, and what the history table calls them; earlier ones first
#: where a history has several.
_SYNONYMS: dict[str, str] = {
    "loss": "loss",
    "accuracy": "accuracy",
    "binary_accuracy": "accuracy",
    "acc": "accuracy",
    "categorical_accuracy": "accuracy",
    "sparse_categorical_accuracy": "accuracy",
    "fscore": "fscore",
    "f_score": "fscore",
    "f1_score": "fscore",
    "fbeta_score": "fscore",
    "f1score": "fscore",
    "f1": "fscore",
    "f1_m": "fscore",
    "fbeta": "fscore",
    "fmeasure": "fscore",
    "auroc": "auroc",
    "roc_auc": "auroc",
    "average_precision": "ap",
    "pr_auc": "ap",
    "auprc": "ap",
    "brier_score": "brier",
}

#: Names that belong to no cohort.
_GLOBAL: dict[str, str] = {
    "learning_rate": "learning_rate",
    "lr": "learning_rate",
    "seconds": "seconds",
}

#: What programs call a cohort, and what the history table does.
SIDES = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "test": "test",
    "testing": "test",
}

#: Metrics that Keras numbers when it makes several: `auc_1`.
_NUMBERED = re.compile(r"(.*[a-z])_\d+")
_NUMBERED_METRICS = {*_SYNONYMS, "auc", "precision", "recall"}

_KNOWN_RANK = {name: rank for rank, name in enumerate(_SYNONYMS)}


def plain_name(name: str) -> str:
    """`name` in small letters, digits and `_`."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.strip())
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def split_side(name: str) -> tuple[str, str]:
    """The cohort that a metric's name begins or ends with, and the rest.

    Parameters
    ----------
    name
        A plain name (`plain_name`).

    Returns
    -------
    tuple of str and str
        The cohort is `train`, `val` or `test`; empty where the name has none.
    """
    words = name.removeprefix("epoch_").split("_")
    if len(words) > 1 and words[0] in SIDES:
        return SIDES[words[0]], "_".join(words[1:]).removeprefix("epoch_")
    if len(words) > 1 and words[-1] in SIDES:
        return SIDES[words[-1]], "_".join(words[:-1])
    return "", "_".join(words)


def map_names(
    names: Iterable[str], *, columns: Iterable[str], validation: Validation = "test"
) -> dict[str, str]:
    """The column of the history table for each of a program's metrics.

    Parameters
    ----------
    names
        The metrics of one history, as the program calls them.
    columns
        The columns that the history table has anyway; a metric with such a name keeps it.
    validation
        The cohort that `val_…` belongs to where no name begins with `test`. The 2017 study
        validated on its test cohort, and so do most scripts that have no other.

    Returns
    -------
    dict
        From name to column. Of two names for one column the more exact one has it; the other
        keeps its own name behind the cohort's.
    """
    own = set(columns)
    plain = {name: plain_name(name) for name in names}
    sides = {name: split_side(text)[0] for name, text in plain.items()}
    has_test = "test" in sides.values()
    mapped: dict[str, str] = {}
    taken: set[str] = set()

    def rank(name: str) -> tuple[bool, int]:
        return plain[name] not in own, _KNOWN_RANK.get(split_side(plain[name])[1], len(_KNOWN_RANK))

    for name in sorted(plain, key=rank):
        text = plain[name]
        if not text:
            continue
        side, metric = split_side(text)
        if text in own and not (side == "val" and not has_test and validation == "test"):
            column = text
        elif not side and metric in _GLOBAL:
            column = _GLOBAL[metric]
        else:
            cohort = side or "train"
            if cohort == "val" and not has_test:
                cohort = validation
            column = f"{cohort}_{_standard(metric, plain.values())}"
            if column in taken:
                column = f"{cohort}_{metric}"
        if column not in taken:
            taken.add(column)
            mapped[name] = column[:64]
    return {name: mapped[name] for name in plain if name in mapped}


def _standard(metric: str, names: Iterable[str]) -> str:
    """The history table's name of a metric."""
    if metric in _SYNONYMS:
        return _SYNONYMS[metric]
    numbered = _NUMBERED.fullmatch(metric)
    if numbered and numbered[1] in _NUMBERED_METRICS:
        base = numbered[1]
        if not any(split_side(name)[1] == base for name in names):
            return _SYNONYMS.get(base, base)
    return metric


def split_outputs(names: Iterable[str]) -> Mapping[str, dict[str, str]]:
    """The metrics of each output of a Keras model that has several.

    Such a history has `loss` and, for each output, `<output>_loss`.

    Parameters
    ----------
    names
        The metrics of one history, as Keras calls them.

    Returns
    -------
    mapping
        For each output, from the name to that without the output's; empty for other histories.
    """
    base = [name.removeprefix("val_") for name in names]
    if "loss" not in base:
        return {}
    outputs = {
        name.removesuffix("_loss")
        for name in base
        if name.endswith("_loss") and name.removesuffix("_loss") not in SIDES
    }
    by_output: dict[str, dict[str, str]] = {output: {} for output in sorted(outputs)}
    for name in names:
        side = "val_" if name.startswith("val_") else ""
        metric = name.removeprefix("val_")
        matching = [o for o in outputs if metric.startswith(f"{o}_")]
        if matching:
            output = max(matching, key=len)
            by_output[output][name] = side + metric.removeprefix(f"{output}_")
    return {output: metrics for output, metrics in by_output.items() if metrics} if outputs else {}


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of `metric` is the better one."""
    return any(part in metric for part in _LOWER_IS_BETTER)
