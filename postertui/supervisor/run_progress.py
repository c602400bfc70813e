"""How far a run is, and what decides how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from postertui.runs.events import Event
from postertui.runs.spec import RunSpec
from postertui.runs.store.columns import NO_ROWS, Epochs
from postertui.runs.store.run import Run
from postertui.study import Variant
from postertui.supervisor.units import unit_of

#: Epochs after which a run is estimated by its own pace; before, by that of its shape.
OWN_PACE_FROM = 4


@dataclass(frozen=True)
class RunProgress:
    """How far a run is. Times are seconds since 1970, None before they are.

    Attributes
    ----------
    shape
        Decides how long an epoch takes, and what is compiled.
    is_running, is_waiting
        Whether a job trains it; whether it waits for one.
    total, epochs, history
        How many epochs it has, how many are finished, and those.
    job
        The process that it was given to; empty for none.
    started, ended
        When its newest attempt began; when the run was done.
    unit
        Runs of one unit are trained together; empty for a run that is trained by itself.
    kind
        Shapes of one kind differ only in dense layers and batch size.
    head_weights, batch_size
        The number of weights between its two dense layers; posters per batch.
    stops_early
        Whether it may end before `total` epochs.
    extracted
        When the newest progress of feature extraction was written.
    features, cohorts
        The images and the network that features come from; the cohorts that they are needed of.
    created
        When the run was asked for; 0 where that is unknown.
    """

    shape: str
    is_running: bool
    is_waiting: bool
    total: int
    epochs: int
    history: Epochs
    job: str = ""
    started: float | None = None
    ended: float | None = None
    unit: str = ""
    kind: str = ""
    head_weights: int = 1
    batch_size: int = 1
    stops_early: bool = False
    extracted: float | None = None
    features: str = ""
    created: float = 0.0
    cohorts: tuple[int, ...] = ()

    @cached_property
    def pace(self) -> float | None:
        """The median seconds from one epoch to the next of an attempt; None before the second.

        The first epoch, which holds the compilation, and pauses between attempts do not count.
        """
        if len(self.history) < 2:
            return None
        columns = (self.history.array(name) for name in ("time", "attempt", "seconds"))
        times, attempts, seconds = columns
        gaps = np.diff(times)[~(np.diff(attempts) > 0)]
        finite = [v[np.isfinite(v)] for v in (gaps, seconds[1:])]
        return max((_median(v) for v in finite if v.size), default=None)

    @property
    def feature_seconds(self) -> float:
        """What the newest attempt took until features were extracted; 0 where it extracted none."""
        if self.started is None or self.extracted is None:
            return 0.0
        return max(0.0, self.extracted - self.started)

    @cached_property
    def overhead(self) -> float | None:
        """Seconds of the attempt that were none of its epochs' or features', compilation included.

        Of a run under way those before its first epoch. None where its pace is unknown.
        """
        if self.started is None or self.pace is None or self.job == "":
            return None
        times = self.history.array("time")
        times = times[times >= self.started]
        if not len(times):
            return None
        until, epochs = (times[0], 1) if self.ended is None else (self.ended, len(times))
        seconds = until - self.started - self.feature_seconds - epochs * self.pace
        return max(0.0, float(seconds))


def progress_of(run: Run) -> RunProgress:
    """How far `run` is."""
    start, end = run.start or {}, run.end or {}
    state = run.state
    return progress_of_spec(
        run.spec,
        is_running=state == "running",
        is_waiting=state in ("queued", "interrupted"),
        epochs=run.epoch,
        history=run.epochs,
        job=job_of(start),
        started=start.get("time"),
        ended=end.get("time") if state == "done" else None,
        extracted=(run.features or {}).get("time"),
    )


def progress_of_spec(
    spec: RunSpec | None,
    *,
    is_running: bool = False,
    is_waiting: bool = True,
    epochs: int = 0,
    history: Epochs | None = None,
    job: str = "",
    started: float | None = None,
    ended: float | None = None,
    extracted: float | None = None,
) -> RunProgress:
    """A run of `spec`; one that has not begun, unless the others say how far it is.

    Parameters
    ----------
    spec
        None for a run that cannot be read.
    is_running, is_waiting
        Whether a job trains it; whether it waits for one.
    epochs, history
        How many are finished, and those; None for no epochs.
    job
        The process that it was given to; empty for none.
    started, ended, extracted
        When its newest attempt began, when it was done, and when the newest progress of feature
        extraction was written, in seconds since 1970; None before.
    """
    history = Epochs(NO_ROWS) if history is None else history
    if spec is None:
        return RunProgress("", is_running, is_waiting, 0, epochs, history, job, started, ended)
    variant = spec.variant
    kind = _kind_of(spec)
    images = (spec.data_fingerprint, spec.weights.digest, variant.backbone_name, variant.side)
    return RunProgress(
        shape=f"{kind}/{variant.fc1}/{variant.fc2}/{variant.batch_size}",
        is_running=is_running,
        is_waiting=is_waiting,
        total=variant.epochs,
        epochs=epochs,
        history=history,
        job=job,
        started=started,
        ended=ended,
        unit=unit_of(spec),
        kind=kind,
        head_weights=max(1, variant.fc1 * variant.fc2),
        batch_size=max(1, variant.batch_size),
        stops_early=variant.early_stopping > 0,
        extracted=extracted,
        features="/".join(map(str, (*images, *_layers(variant), variant.augment))),
        cohorts=spec.all_cohorts,
        created=spec.created,
    )


def job_of(start: Event) -> str:
    """The process that an attempt's `start` event names; empty where it names none."""
    return f"{start.get('host')}:{start['pid']}" if start.get("pid") else ""


def _kind_of(spec: RunSpec) -> str:
    variant = spec.variant
    parts = (
        spec.data_fingerprint,
        *map(len, (spec.train_cohorts, spec.val_cohorts, spec.test_cohorts)),
        variant.model,
        variant.network,
        variant.backbone_name,
        variant.side,
        *_layers(variant),
        variant.augment,
        variant.balance,
        variant.inputs,
        variant.share,
    )
    return "/".join(map(str, parts))


def _layers(variant: Variant) -> tuple[object, ...]:
    return variant.frozen_layers, variant.trainable_layers, variant.train_from


def _median(values: npt.NDArray[np.float64]) -> float:
    """As `np.median`, which takes many times as long, and the dashboard asks at every tick."""
    ordered, size = np.sort(values), len(values)
    return float((ordered[(size - 1) // 2] + ordered[size // 2]) / 2)
