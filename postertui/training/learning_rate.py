"""Learning rates and early stopping, epoch by epoch, on the host."""

from __future__ import annotations

import math

import msgspec

from postertui.study import Constant, Decay, Plateau, Variant


class RateState(msgspec.Struct):
    """What schedule and early stopping carry from epoch to epoch; part of a checkpoint.

    Attributes
    ----------
    rate
        The next epoch's learning rate under a plateau schedule.
    best, waited
        The plateau's lowest monitored loss, and epochs without improvement since.
    stop_best, stop_waited, stopped
        The same for early stopping, and whether training is over.
    """

    rate: float
    best: float = math.inf
    waited: int = 0
    stop_best: float = math.inf
    stop_waited: int = 0
    stopped: bool = False


def initial_state(variant: Variant) -> RateState:
    """The state before the first epoch."""
    return RateState(rate=variant.learning_rate)


def learning_rate(variant: Variant, state: RateState, epoch: int) -> float:
    """The learning rate of `epoch`, which counts from 1."""
    match variant.schedule:
        case Constant():
            return variant.learning_rate
        case Decay(hold=hold, factor=factor):
            passed = epoch - 1
            return variant.learning_rate * (factor**passed if passed >= hold else 1.0)
        case Plateau():
            return state.rate


def after_epoch(variant: Variant, state: RateState, loss: float) -> RateState:
    """The state after an epoch whose monitored cohort had `loss`.

    As `keras.callbacks.ReduceLROnPlateau` and `EarlyStopping` do it; NaN never improves.
    """
    new = msgspec.structs.replace(state)
    if isinstance(variant.schedule, Plateau):
        _reduce_on_plateau(variant.schedule, new, loss)
    if variant.early_stopping:
        if loss < new.stop_best:
            new.stop_best, new.stop_waited = loss, 0
        else:
            new.stop_waited += 1
        new.stopped = new.stop_waited >= variant.early_stopping
    return new


def _reduce_on_plateau(plateau: Plateau, state: RateState, loss: float) -> None:
    if loss < state.best - plateau.min_delta:
        state.best, state.waited = loss, 0
        return
    state.waited += 1
    if state.waited >= plateau.patience and state.rate > plateau.min_rate:
        state.rate = max(state.rate * plateau.factor, plateau.min_rate)
        state.waited = 0
