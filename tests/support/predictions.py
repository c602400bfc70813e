"""Made-up predictions, a third of the posters for validation; and runs that have them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np

from postertui.predictions.columns import score_columns
from postertui.predictions.scores import count_decisions
from postertui.predictions.table import Predictions, write_predictions
from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.spec import write_spec
from postertui.study import Variant
from tests.support.specs import made_spec


def make_predictions(
    posters: int, *, seed: int = 1, base_rate: float = 0.3, skill: float = 0.15
) -> Predictions:
    """Posters of cohorts 1 (validation) and 2 (test); labels are the same for every seed.

    `skill` is by how much a positive's probability is higher in the mean.
    """
    posters_of = np.random.default_rng(2017)
    labels = (posters_of.random(posters) < base_rate).astype(np.uint8)
    ids = np.cumsum(posters_of.integers(1, 300, posters)).astype(np.int64)
    cohorts = np.where(np.arange(posters) < posters // 3, 1, 2).astype(np.uint8)
    noise = np.random.default_rng(seed).normal(0.35, 0.15, posters)
    p = np.clip(noise + skill * labels, 0.001, 0.999).astype(np.float32)
    return Predictions(ids, cohorts, labels, p)


def write_predicted_runs(
    folder: Path,
    *,
    variants: Mapping[str, float] = MappingProxyType({"base": 0.15, "bce": 0.2}),
    genres: Sequence[str] = ("Comedy", "Drama"),
    seeds: int = 2,
    posters: int = 600,
    validate: bool = True,
) -> list[str]:
    """Finished runs of two epochs with predictions; the names of their folders.

    `variants` maps a name to its skill (see `make_predictions`).
    """
    names: list[str] = []
    for genre, (variant, skill), seed in itertools.product(genres, variants.items(), range(seeds)):
        number = len(names)
        predictions = make_predictions(posters, seed=number + 1, skill=skill)
        test, validation = predictions.of_cohorts([2]), predictions.of_cohorts([1])
        loss = "bce" if variant == "bce" else "fscore"
        spec = made_spec(
            Variant(name=variant, family=variant, epochs=2, loss=loss),
            genre,
            seed=seed,
            train_base_rate=0.3,
            test_base_rate=float(test.labels.mean()),
        )
        assert write_spec(folder, spec)
        names.append(spec.run)
        if not validate:
            predictions = test
        info = write_predictions(folder / spec.run, predictions)
        scores = score_columns(
            (test.labels, test.probabilities),
            (validation.labels, validation.probabilities) if validate else None,
        )
        counts = count_decisions(test.labels, test.probabilities, 0.5)
        metrics = {f"test_{cell}": value for cell, value in counts._asdict().items()}
        fscore = counts.fscore
        metrics |= {"test_fscore_hard": fscore, "test_fscore_soft": fscore, "test_fscore": fscore}
        metrics |= {"test_accuracy": (counts.tp + counts.tn) / len(test), "seconds": 1.5}
        metrics |= {"train_fscore_soft": fscore, "train_fscore": fscore, "dead": False}
        with EventWriter(folder / spec.run / layout.EVENTS) as events:
            events.attempt = 1
            events.append("start", from_epoch=1, pid=1, started=1, boot="x", host="x", device="cpu")
            for epoch in (1, 2):
                events.append("epoch", epoch=epoch, **metrics, **scores)
            events.append("end", status="done", predictions=msgspec.to_builtins(info))
    return names
