"""What a filter may name."""

from __future__ import annotations

import re

#: Field to what it means; what a filter may name and what completion offers.
FIELDS: dict[str, str] = {
    "genre": "the label that is learned",
    "variant": "the variant's name, or its family",
    "name": "the variant's own name",
    "family": "what the published table calls variant",
    "state": "queued running held interrupted done failed cancelled",
    "study": "the study that asked for the run",
    "run": "the run's name",
    "seed": "the seed",
    "regularizer": "L1=1e-5, L2=1e-4, NoReg …",
    "fc1": "units of the first dense layer",
    "fc2": "units of the second dense layer",
    "batch_size": "posters in a batch",
    "epoch": "the newest finished epoch",
    "epochs": "the epochs asked for",
    "attempt": "how often it was started",
    "mode": "sound or published",
    "device": "where it trains",
    "host": "the machine it trains on",
    "tag": "a tag given in the dashboard",
    "dead": "yes where the weights have become NaN",
    "train_loss": "training objective",
    "train_accuracy": "training accuracy",
    "train_fscore": "training F as published",
    "train_fscore_soft": "training F of probabilities, pooled",
    "train_fscore_hard": "training F of decisions, pooled",
    "train_base_rate": "share of positives in training",
    "test_loss": "test objective",
    "test_accuracy": "test accuracy",
    "test_fscore": "test F as published",
    "test_fscore_soft": "test F of probabilities, pooled",
    "test_fscore_hard": "test F of decisions, pooled",
    "test_base_rate": "share of positives in the test cohort",
    "test_ap": "test average precision",
    "test_auroc": "area under the test ROC curve",
    "test_brier": "test Brier score: 0 is best",
    "test_precision": "test precision of decisions at .5",
    "test_recall": "test recall of decisions at .5",
    "test_fscore_threshold": "test F at the threshold chosen on validation",
    "threshold": "the threshold with the best F on validation",
    "val_loss": "validation objective",
    "val_accuracy": "validation accuracy",
    "val_fscore": "validation F, mean over batches",
    "val_fscore_soft": "validation F of probabilities, pooled",
    "val_fscore_hard": "validation F of decisions, pooled",
    "val_base_rate": "share of positives in the validation cohort",
    "val_ap": "validation average precision",
    "val_auroc": "area under the validation ROC curve",
    "val_brier": "validation Brier score",
    "val_precision": "validation precision of decisions at .5",
    "val_recall": "validation recall of decisions at .5",
    "val_fscore_threshold": "validation F at that threshold",
    "learning_rate": "Adam's learning rate",
    "seconds": "seconds the epoch took",
    "empty_batches": "training batches without a positive",
}

_METRIC = re.compile(r"(train|test|val)_[a-z0-9_]+", re.ASCII)


def is_metric_field(name: str) -> bool:
    """Whether a field may be a metric that another program recorded."""
    return _METRIC.fullmatch(name) is not None


#: Other words for the same fields.
ALIASES = {"batch": "batch_size", "lr": "learning_rate", "tags": "tag"}
