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
    best_epoch
        The epoch of `stop_best`, where the variant selects epochs; 0 for none so far.
    """

    rate: float
    best: float = math.inf
    waited: int = 0
    stop_best: float = math.inf
    stop_waited: int = 0
    stopped: bool = False
    best_epoch: int = 0


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


def after_epoch(variant: Variant, state: RateState, epoch: int, loss: float) -> RateState:
    """The state after `epoch`, with `loss` of the monitored cohort.

    As `keras.callbacks.ReduceLROnPlateau` and `EarlyStopping` do it; NaN never improves.
    """
    new = msgspec.structs.replace(state)
    if isinstance(variant.schedule, Plateau):
        _reduce_on_plateau(variant.schedule, new, loss)
    if variant.selects_epochs:
        if loss < new.stop_best:
            new.stop_best, new.stop_waited, new.best_epoch = loss, 0, epoch
        else:
            new.stop_waited += 1
        new.stopped = 0 < variant.early_stopping <= new.stop_waited
    return new


def _reduce_on_plateau(plateau: Plateau, state: RateState, loss: float) -> None:
    if loss < state.best - plateau.min_delta:
        state.best, state.waited = loss, 0
        return
    state.waited += 1
    if state.waited >= plateau.patience and state.rate > plateau.min_rate:
        state.rate = max(state.rate * plateau.factor, plateau.min_rate)
        state.waited = 0
