"""Trains runs, one after another in one process: a spec in, epochs out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postertui.runs.code import Code
from postertui.runs.spec import RunSpec
from postertui.training import custom_loss, learning_rate
from postertui.training.backend import Tensor, devices, to_device, to_host
from postertui.training.blocks import input_memory_limit
from postertui.training.checkpoint import Checkpoint, load_checkpoint
from postertui.training.classical_trainer import classical_row
from postertui.training.cohort_passes import evaluation_pass, train_pass
from postertui.training.compiled_networks import CompiledNetworks
from postertui.training.epoch_columns import cohort_columns, dead_heads, mean_monitored_loss
from postertui.training.epoch_result import (
    EpochResult,
    checkpoint_writer,
    of_genres,
    state_digest,
)
from postertui.training.epoch_schedule import class_weights, schedule_training
from postertui.training.features import ReportProgress
from postertui.training.initializers import dropout_seeds
from postertui.training.inputs import InputStore
from postertui.training.labels import load_labels
from postertui.training.loop import State
from postertui.training.objective import SUMS, hyper_scalars
from postertui.training.results import FinishedWeights, RunResults
from postertui.training.sampling import epoch_order
from postertui.training.trainable_network import Network
from postertui.training.vgg16 import load_convolutions


def ignore_progress(cohort: int, done: int, total: int) -> None:
    """Discard progress reports."""


class Trainer:
    """Trains runs one after another, caching compiled passes and the last run's inputs.

    Parameters
    ----------
    features_root
        Folder of the cached features; `features/` in the data folder by default.
    dtype
        Of weights and arithmetic.
    max_input_bytes
        Larger inputs stay on disk and come to the device in blocks.
    """

    def __init__(
        self,
        features_root: Path | None = None,
        dtype: str = "float32",
        max_input_bytes: int | None = None,
    ) -> None:
        self._inputs = InputStore(features_root, max_input_bytes or input_memory_limit())
        self._dtype = dtype
        self._networks = CompiledNetworks(dtype)

    def accelerators(self) -> tuple[str, ...]:
        """The framework's names of the devices beside the CPU that it trains on."""
        return tuple(devices())

    def epochs(
        self,
        spec: RunSpec,
        resume: Path | None = None,
        notify: ReportProgress = ignore_progress,
        code: Code | None = None,
    ) -> Iterator[EpochResult]:
        """Train `spec`, epoch by epoch, from the checkpoint `resume` if given.

        A spec of a group stands for the whole group. What is monitored is then the mean of the
        genres' losses, of those that are defined.

        `notify` receives the progress of feature extraction. `code` are the files of the user's own
        functions, which are executed. Raises `UserError` before the first
        epoch for a run that cannot be trained.
        """
        variant = spec.variant
        inputs = self._inputs.get(spec, notify)
        train_labels, held_out = load_labels(spec, inputs)
        if variant.model != "network":
            yield classical_row(spec, inputs, train_labels, held_out, self._dtype)
            return
        copies = 2 if variant.needs_mirrored else 1
        row_labels = np.concatenate([train_labels] * copies)
        network, passes = self._networks.get(spec, inputs, code or {})
        first_order = epoch_order(variant, spec.entropy, 1, train_labels)
        train_hyper = hyper_scalars(spec, class_weights(row_labels[first_order]), self._dtype)
        test_hyper = hyper_scalars(spec, (1.0, 1.0), self._dtype)
        monitored = "val_loss" if spec.monitors_validation else "test_loss"
        members = spec.members
        digest = state_digest(spec)

        checkpoint = (
            self._initial_checkpoint(spec, network)
            if resume is None
            else load_checkpoint(resume, digest, network.shapes)
        )
        first_epoch, updates, rate_state = checkpoint[1] + 1, *checkpoint[2:4]
        if rate_state.stopped:
            return  # it had stopped early; no epoch follows
        state = State(*(tuple(map(to_device, arrays)) for arrays in checkpoint[4:7]))
        best_weights = tuple(map(to_device, checkpoint.best))
        del checkpoint  # frees the host's copy of the state

        for epoch in range(first_epoch, variant.epochs + 1):
            began = time.perf_counter()
            rate = learning_rate.learning_rate(variant, rate_state, epoch)
            schedule = schedule_training(
                epoch_order(variant, spec.entropy, epoch, train_labels),
                row_labels,
                variant.batch_size,
                rate,
                updates,
                loss=variant.loss,
                mode=spec.mode,
                optimizer=variant.optimizer,
                weight_decay=variant.weight_decay,
                seeds=dropout_seeds(spec.entropy, epoch)
                if variant.dropout or network.functions
                else None,
            )
            state, sums = train_pass(
                passes, state, inputs.train, row_labels, schedule, train_hyper, self._dtype
            )
            if network.functions is not None:
                custom_loss.check_finite(network.functions, SUMS, sums[..., 0], epoch, spec.mode)
            columns = cohort_columns(members, "train", schedule, sums)
            probabilities, evaluation_began = [], time.perf_counter()
            for cohort in held_out:
                sums, p = evaluation_pass(passes, state.weights, cohort, test_hyper, self._dtype)
                probabilities.append(p)
                evaluated = cohort_columns(members, cohort.name, cohort.schedule, sums)
                columns = [a | b for a, b in zip(columns, evaluated, strict=True)]
            evaluation_seconds = time.perf_counter() - evaluation_began

            loss = mean_monitored_loss(columns, monitored)
            rate_state = learning_rate.after_epoch(variant, rate_state, epoch, loss)
            if rate_state.best_epoch == epoch:
                best_weights = state.weights
            updates = schedule.updates
            dead = dead_heads(network, state.weights)
            seconds = time.perf_counter() - began
            for number, metrics in enumerate(columns):
                metrics |= {"dead": dead[number], "learning_rate": rate, "seconds": seconds}
            save = checkpoint_writer(digest, epoch, updates, rate_state, state, best_weights)
            if epoch < variant.epochs and not rate_state.stopped:
                yield of_genres(spec, [EpochResult(epoch, metrics, save) for metrics in columns])
                continue
            last = finished_heads(network, epoch, state.weights, probabilities)
            seconds = evaluation_seconds / max(len(last[0].probabilities), 1)
            best: Sequence[FinishedWeights | None] = [None] * len(members)
            if best_weights:
                # Again: after a resumption no probabilities of theirs are there.
                probabilities = [
                    evaluation_pass(passes, best_weights, cohort, test_hyper, self._dtype)[1]
                    for cohort in held_out
                ]
                best_epoch = rate_state.best_epoch
                best = finished_heads(network, best_epoch, best_weights, probabilities)
            finished = []
            for number, member in enumerate(members):
                results = RunResults(
                    member,
                    inputs.posters,
                    network.weight_names,
                    seconds_per_poster=None
                    if inputs.seconds_per_poster is None
                    else seconds + inputs.seconds_per_poster,
                    last=last[number],
                    best=best[number],
                    encoding=inputs.encoding,
                )
                metrics = columns[number] | results.scores()
                finished.append(EpochResult(epoch, metrics, save, results.write))
            yield of_genres(spec, finished)
            return

    def _initial_checkpoint(self, spec: RunSpec, network: Network) -> Checkpoint:
        """Initial weights, with both of Adam's moments zero."""
        pretrained = any(isinstance(w, tuple) for w in network.initial_weights)
        convolutions = load_convolutions(spec.weights) if pretrained else {}
        weights = network.draw_weights(spec.entropy, convolutions)
        arrays = [w.astype(self._dtype) for w in weights]
        zeros = [np.zeros_like(w) for w in arrays]
        rate_state = learning_rate.initial_state(spec.variant)
        return Checkpoint(state_digest(spec), 0, 0, rate_state, arrays, zeros, zeros, best=[])


def finished_heads(
    network: Network, epoch: int, weights: Sequence[Tensor], probabilities: Sequence[NDArray[Any]]
) -> list[FinishedWeights]:
    """Each head's weights after `epoch`, with what it shares, and its probabilities.

    `probabilities` are (n, R) of each held-out cohort.
    """
    p = np.concatenate(probabilities)
    arrays = [to_host(w) for w in weights]
    return [
        FinishedWeights(epoch, network.head_weights(arrays, head), np.ascontiguousarray(p[:, head]))
        for head in range(network.heads)
    ]
