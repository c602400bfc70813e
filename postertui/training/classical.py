"""Classical models of scikit-learn in a network's place: trained at once, one row of history.

They take what a network takes: the backbone's frozen features, standardised on the training
cohorts and divided by the root of their width, and the encoded details. Classes are balanced by
sample weights. A model is kept as skops writes it, never pickled, and read only if it consists of
the types that these models consist of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postertui.runs.spec import RunSpec
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training.environment import show_packages
from postertui.training.input_encoding import InputEncoding

Rows = NDArray[np.float32]

#: What a model may consist of beside the types that skops trusts of itself.
TRUSTED = (
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
)

#: Parts of the training posters that the calibration of `svc` is made on in turn.
FOLDS = 5


def make_model(variant: Variant, seed: int) -> Any:
    """The untrained scikit-learn model of a variant. Raises `UserError` where it is missing."""
    import_scikit_learn()
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import SVC

    depth = variant.depth or None
    match variant.model:
        case "logistic":
            return LogisticRegression(C=variant.C, max_iter=5000, random_state=seed)
        case "svc":
            folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
            return CalibratedClassifierCV(SVC(C=variant.C), ensemble=False, cv=folds)
        case "forest":
            return RandomForestClassifier(variant.trees, max_depth=depth, random_state=seed)
        case "boosting":
            return HistGradientBoostingClassifier(
                learning_rate=variant.shrinkage,
                max_iter=variant.trees,
                max_depth=depth,
                early_stopping=False,
                random_state=seed,
            )
        case _:
            raise ValueError(variant.model)


def import_scikit_learn() -> None:
    """Make scikit-learn and skops importable. Raises `UserError` where they are not installed."""
    show_packages("sklearn", "scipy", "pandas")
    try:
        import sklearn  # noqa: F401
        import skops.io  # noqa: F401
    except ImportError:
        raise UserError(
            "classical models need scikit-learn and skops: pip install 'postertui[classical]'"
        ) from None


def fit_model(spec: RunSpec, rows: Rows, labels: NDArray[np.uint8]) -> Any:
    """The spec's model.

    Parameters
    ----------
    rows : (n, width)
        The scaled inputs.
    labels : (n,)
        0 and 1.

    Raises
    ------
    UserError
        Where `svc` has too few posters of a class to calibrate on.
    """
    entropy = np.random.SeedSequence(spec.entropy, spawn_key=(3,))
    model = make_model(spec.variant, int(entropy.generate_state(1)[0] % 2**31))
    fewest = int(min(labels.sum(), len(labels) - labels.sum()))
    if spec.variant.model == "svc" and fewest < FOLDS:
        raise UserError(
            f"{spec.genre}: svc needs {FOLDS} posters of either class in training, not {fewest}"
        )
    weights = None
    if spec.variant.class_weight == "balanced":
        share = float(labels.mean())
        weights = np.where(labels, 0.5 / share, 0.5 / (1 - share))
    return model.fit(rows, labels, sample_weight=weights)


def predict_model(model: Any, rows: Rows) -> NDArray[np.float32]:
    """The probability (n,) of each row (n, width)."""
    return np.asarray(model.predict_proba(rows)[:, 1], np.float32)


def load_scorer(
    data: bytes, encoding: InputEncoding, folder: str
) -> Callable[[Rows], NDArray[np.float32]]:
    """The function from features and encoded details to probabilities of the model in `data`.

    Raises `UserError` as `load_model`.
    """
    model = load_model(data, folder)
    return lambda rows: predict_model(model, scale_rows(rows, encoding))


def scale_rows(rows: NDArray[np.floating], encoding: InputEncoding) -> Rows:
    """Features and encoded details (n, width) with the features as a network scales them."""
    if encoding.features is None:
        return np.asarray(rows, np.float32)
    mean, variance = np.array(encoding.features.mean), np.array(encoding.features.variance)
    width = len(mean)
    features = (rows[:, :width] - mean) / np.sqrt(variance * width)
    return np.hstack([features, rows[:, width:]]).astype(np.float32)


def dump_model(model: Any) -> bytes:
    """The model as skops writes it."""
    import zipfile

    import skops.io

    dumped: bytes = skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    return dumped


def load_model(data: bytes, folder: str) -> Any:
    """The model in `data`; `folder` is for messages.

    Raises `UserError` for data that are none of these models, or hold other types.
    """
    import_scikit_learn()
    import skops.io

    try:
        unknown = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
        if not unknown:
            return skops.io.loads(data, trusted=list(TRUSTED))
    except Exception as error:  # Archives and schemas of any kind are read here.
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        raise UserError(f"{folder}: damaged model ({reason}); retry the run") from None
    raise UserError(
        f"{folder}: its model holds {min(unknown)[:80]}, which none of these models consists of; "
        "it is not loaded"
    )
