"""What a filter may name."""

from __future__ import annotations

#: Field to what it means; what a filter may name and what completion offers.
FIELDS: dict[str, str] = {
    "genre": "the label that is learned",
    "variant": "the variant's name, or its family",
    "name": "the variant's own name",
    "family": "what the published table calls variant",
    "state": "queued running done failed cancelled interrupted",
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
    "learning_rate": "Adam's learning rate",
    "seconds": "seconds the epoch took",
    "empty_batches": "training batches without a positive",
}

#: Other words for the same fields.
ALIASES = {"batch": "batch_size", "lr": "learning_rate", "tags": "tag"}
