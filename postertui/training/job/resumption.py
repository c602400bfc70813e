"""A trainer's epochs from a checkpoint on, or all of them where that cannot be used."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from postertui.runs.code import Code
from postertui.runs.spec import RunSpec
from postertui.system.errors import UserError
from postertui.training.job.interface import Epoch, RunTrainer


def epochs_from(
    trainer: RunTrainer,
    spec: RunSpec,
    code: Code,
    resume: Path | None,
    due: int,
    *,
    notify: Callable[[int, int, int], None],
    log: Callable[[str], None],
) -> Iterator[Epoch]:
    """The epochs of `spec` from number `due` on; from 1 on where `resume` cannot be used.

    Parameters
    ----------
    code
        The files of the user's own functions, which are executed.
    resume
        The checkpoint after epoch `due` - 1, if any.
    notify
        Receives the progress of feature extraction: cohort, done, total.
    log
        Receives why a checkpoint was not used.
    """
    train: Callable[..., Iterator[Epoch]] = trainer.epochs
    if code:
        train = functools.partial(train, code=code)
    if resume is not None:
        epochs = iter(train(spec, resume, notify))
        try:
            first = next(epochs, None)
        except UserError as error:
            log(f"{error}; starting over")
        else:
            if first is not None and first.epoch == due:
                yield first
                yield from epochs
                return
            # Its epoch was lost with the events' tail. Its resources are released first.
            if isinstance(epochs, Generator):
                epochs.close()
            log(f"{resume}: not of epoch {due - 1}; starting over")
    yield from train(spec, None, notify)
