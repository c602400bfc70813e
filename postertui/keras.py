"""Keras' `fit` as a run that the dashboard shows live.

model.fit(…, callbacks=[postertui.keras.RunLogger(genre="Comedy", variant="my-net")])
"""

from __future__ import annotations

import contextlib
import time
import warnings
from typing import Any

import keras

from postertui.recorder import LoggedRun

#: Seconds between two looks for a request to stop, within an epoch.
_CHECK_SECONDS = 0.5


class RunLogger(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes each epoch of a `fit` to a run, and stops the `fit` where the run is cancelled.

    Each `fit` is a run of its own. The optimiser's learning rate is recorded with the metrics.

    Parameters
    ----------
    genre, **settings
        As those of `postertui.log_run`: `variant`, `seed`, `runs`, `study`, `base_rates`,
        `validation`, `hyperparameters`, `resume`.

    Attributes
    ----------
    run
        The `postertui.recorder.LoggedRun` of the newest `fit`; None before the first.
    """

    def __init__(self, genre: str, **settings: Any) -> None:
        super().__init__()
        self._genre = genre
        self._settings = settings
        self._checked = 0.0
        self.run: LoggedRun | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.run is not None:
            self.run.finish("interrupted", "another fit began")
        settings = {"epochs": self.params.get("epochs"), **self._settings}
        self.run = LoggedRun(self._genre, **settings)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.monotonic()
        if now - self._checked > _CHECK_SECONDS:
            self._checked = now
            self._stop_if_asked()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert self.run is not None
        metrics = _scalars(logs or {})
        if "learning_rate" not in metrics:
            with contextlib.suppress(AttributeError, TypeError, ValueError):
                metrics["learning_rate"] = float(
                    keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
                )
        # A resumed run goes on after its last epoch, wherever this `fit` begins to count.
        self.run.epoch(metrics)
        self._stop_if_asked()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.run is not None:
            self.run.__exit__(None, None, None)

    def _stop_if_asked(self) -> None:
        if self.run is not None and self.run.should_stop:
            self.model.stop_training = True


def _scalars(logs: dict[str, Any]) -> dict[str, Any]:
    """The metrics with one number; those of several, such as an F-score per class, are left out."""
    scalars = {}
    for name, value in logs.items():
        shape = getattr(value, "shape", ())
        count = 1
        for length in shape:
            count *= int(length)
        if count == 1:
            scalars[name] = keras.ops.convert_to_numpy(value).reshape(()) if shape else value
        else:
            warnings.warn(
                f"postertui: the metric {name!r} has {count} numbers and is not recorded; one of "
                'each class needs an average, such as F1Score(average="macro")',
                RuntimeWarning,
                stacklevel=2,
            )
    return scalars
