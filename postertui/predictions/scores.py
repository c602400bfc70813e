"""How good a classifier's probabilities are.

The definitions are scikit-learn's (`average_precision_score`, `roc_auc_score`,
`brier_score_loss`, `precision_score`, `recall_score`, `f1_score` with `zero_division=nan`), and so
are the values, to rounding. Where a score is undefined it is NaN here, without a warning:

- average precision, recall and F of a cohort without a positive;
- AUROC of a cohort without a positive or without a negative;
- precision where no poster is decided positive;
- everything where a probability is NaN (a dead model), or there is no poster.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from postertui.predictions.ranking import Ranking, as_vectors, rank

#: The decision rule of training, and of 2017.
PUBLISHED_THRESHOLD = 0.5


class Counts(NamedTuple):
    """Decisions against labels: how many posters of each of the four kinds.

    Means over seeds need not be whole.
    """

    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def fscore(self) -> float:
        """2TP / (2TP + FP + FN)."""
        if not self.tp + self.fn:
            return math.nan
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn)


def count_decisions(labels: ArrayLike, probabilities: ArrayLike, threshold: float) -> Counts:
    """The confusion counts of deciding positive what has a probability above a threshold.

    Parameters
    ----------
    labels
        (n,) 0 and 1.
    probabilities
        (n,) between 0 and 1.
    threshold
        A probability equal to it is decided negative.
    """
    positive, p = as_vectors(labels, probabilities)
    decided = p > threshold
    tp = int((decided & positive).sum())
    fp = int(decided.sum()) - tp
    fn = int(positive.sum()) - tp
    return Counts(tp, fp, fn, len(p) - tp - fp - fn)


def average_precision(ranking: Ranking) -> float:
    """Σ (R_k - R_{k-1}) P_k over the distinct probabilities, descending: no interpolation.

    Returns
    -------
    float
        In 0..1; a random order has the base rate. NaN without a positive.

    References
    ----------
    Saito & Rehmsmeier (2015): where positives are few it says more than AUROC.
    """
    if not ranking.positives:
        return math.nan
    steps = np.diff(ranking.recall, prepend=0.0)
    return float((steps * ranking.precision).sum())


def auroc(ranking: Ranking) -> float:
    """The area under the ROC curve: P(a positive ranks above a negative), ties counted half."""
    if not ranking.positives or not ranking.negatives:
        return math.nan
    widths = np.diff(ranking.false_positives, prepend=0.0)
    heights = ranking.true_positives - np.diff(ranking.true_positives, prepend=0.0) / 2
    return float((widths * heights).sum() / (ranking.positives * ranking.negatives))


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The mean squared difference of probability and label (Brier 1950); 0 is best.

    Parameters
    ----------
    labels
        (n,) 0 and 1.
    probabilities
        (n,) between 0 and 1.

    Returns
    -------
    float
        The constant m, a base rate, has m(1-m); NaN of no posters.
    """
    positive, p = as_vectors(labels, probabilities)
    return float(np.square(p - positive).mean()) if len(p) else math.nan


def best_threshold(ranking: Ranking) -> float:
    """The threshold with the highest F, the highest of those where several have it.

    NaN where no threshold has an F above 0: without a positive, or where every positive has
    probability 0.
    """
    usable = ranking.probabilities > 0
    fscores = ranking.fscore[usable]
    if not len(fscores) or not np.nanmax(fscores, initial=0.0) > 0:
        return math.nan
    return float(ranking.thresholds[usable][np.nanargmax(fscores)])


class CohortScores(NamedTuple):
    """The scores of one cohort; `fscore_threshold` is F at a threshold chosen elsewhere."""

    ap: float
    auroc: float
    brier: float
    precision: float
    recall: float
    fscore: float
    fscore_threshold: float


def score_cohort(
    labels: ArrayLike, probabilities: ArrayLike, threshold: float = math.nan
) -> CohortScores:
    """Every score of a cohort's probabilities.

    Parameters
    ----------
    labels
        (n,) 0 and 1.
    probabilities
        (n,) between 0 and 1; all scores are NaN where one is NaN.
    threshold
        Where `fscore_threshold` is F; NaN leaves that out.

    Returns
    -------
    CohortScores
        Precision, recall and F are those at .5.
    """
    positive, p = as_vectors(labels, probabilities)
    if not len(p) or np.isnan(p).any():
        return CohortScores(*(math.nan for _ in CohortScores._fields))
    ranking = rank(positive, probabilities)
    at_half = count_decisions(positive, p, PUBLISHED_THRESHOLD)
    chosen = math.nan
    if not math.isnan(threshold):
        chosen = count_decisions(positive, p, threshold).fscore
    return CohortScores(
        average_precision(ranking),
        auroc(ranking),
        brier(positive, p),
        at_half.precision,
        at_half.recall,
        at_half.fscore,
        chosen,
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
