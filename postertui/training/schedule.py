"""Learning rates and early stopping, epoch by epoch, on the host."""

from __future__ import annotations

import math

import msgspec

from postertui.study import Constant, Decay, Plateau, Variant


class Progress(msgspec.Struct):
    """What schedule and early stopping remember between epochs; part of a checkpoint.

    `rate` is the rate of the next epoch under a plateau schedule; `best` and `waited` are the
    plateau's lowest test loss and epochs since, `stop_best` and `stop_waited` early stopping's.
    """

    rate: float
    best: float = math.inf
    waited: int = 0
    stop_best: float = math.inf
    stop_waited: int = 0
    stopped: bool = False


def begin(variant: Variant) -> Progress:
    """Before the first epoch."""
    return Progress(rate=variant.learning_rate)


def learning_rate(variant: Variant, progress: Progress, epoch: int) -> float:
    """The rate of `epoch`, which counts from 1."""
    match variant.schedule:
        case Constant():
            return variant.learning_rate
        case Decay(hold=hold, factor=factor):
            passed = epoch - 1
            return variant.learning_rate * (factor**passed if passed >= hold else 1.0)
        case Plateau():
            return progress.rate


def after_epoch(variant: Variant, progress: Progress, test_loss: float) -> Progress:
    """What to remember after an epoch that ended with `test_loss`.

    As `keras.callbacks.ReduceLROnPlateau` and `EarlyStopping` do it; a NaN is never progress.
    """
    new = msgspec.structs.replace(progress)
    if isinstance(variant.schedule, Plateau):
        _reduce_on_plateau(variant.schedule, new, test_loss)
    if variant.early_stopping:
        if test_loss < new.stop_best:
            new.stop_best, new.stop_waited = test_loss, 0
        else:
            new.stop_waited += 1
        new.stopped = new.stop_waited >= variant.early_stopping
    return new


def _reduce_on_plateau(schedule: Plateau, progress: Progress, test_loss: float) -> None:
    if test_loss < progress.best - schedule.min_delta:
        progress.best, progress.waited = test_loss, 0
        return
    progress.waited += 1
    if progress.waited >= schedule.patience and progress.rate > schedule.min_rate:
        progress.rate = max(progress.rate * schedule.factor, schedule.min_rate)
        progress.waited = 0
