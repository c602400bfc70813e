"""One measurement of training per process, as JSON on standard output.

    python -m benchmarks.training_measures NAME DATA_FOLDER

Seconds are CPU-seconds of one thread, for the machine may be shared, and `wall` those of the clock;
`bound` is what the same process's matmul peak, measured just before and after, would need for the
FLOPs.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import psutil

from benchmarks.training_made import RANDOM, TEST, TRAIN, fill_features, make_dataset, make_spec
from postertui.data.weights import CONVOLUTIONS
from postertui.runs.events import parse_events
from postertui.runs.spec import RunSpec, write_spec
from postertui.training import backend, compiled_networks, features, labels, trainer
from postertui.training.backend import to_device, to_host
from postertui.training.epoch_schedule import EpochSchedule, schedule_evaluation, schedule_training
from postertui.training.loop import Passes, compile_passes
from postertui.training.trainer import Trainer, ignore_progress

Measured = dict[str, Any]


class Work(NamedTuple):
    """Multiplications and additions for one poster's update and for one's prediction."""

    train: float
    test: float


def matmul(inputs: int, outputs: int, rows: int = 1, *, first: bool = False) -> Work:
    """A matrix product's work; the `first` layer's inputs need no gradient."""
    forward = 2.0 * inputs * outputs * rows
    return Work(forward * (2 if first else 3), forward)


def total(*parts: Work) -> Work:
    return Work(sum(p.train for p in parts), sum(p.test for p in parts))


def head(fc1: int, fc2: int, *, first: bool) -> Work:
    return total(matmul(512, fc1, first=first), matmul(fc1, fc2), matmul(fc2, 1))


def block5(layers: int) -> Work:
    """VGG16's last convolutions on 3x3 positions, but for what would meet the padding's zeros.

    Of the last, the pooling behind it wants 2x2 positions only.
    """
    convs = [
        matmul(512, 512, reached(2 if i == layers - 1 else 3, 3) ** 2, first=i == 0)
        for i in range(layers)
    ]
    return total(*convs, head(256, 256, first=False))


def reached(outputs: int, inputs: int) -> int:
    """How many (output, tap) pairs of a 3-tap kernel along one axis meet an input."""
    return sum(0 <= i + tap < inputs for i in range(outputs) for tap in (-1, 0, 1))


#: What each network needs per poster, and what it is called in a variant.
NETWORKS: dict[str, tuple[Work, dict[str, Any], int]] = {
    "head": (head(256, 256, first=True), {}, 19),
    "wide": (head(4096, 4096, first=True), {"fc1": 4096, "fc2": 4096}, 19),
    "frozen-17": (block5(1), {"frozen_layers": 17}, 17),
    "frozen-16": (block5(2), {"frozen_layers": 16}, 16),
    "scratch": (
        total(matmul(27, 256, 46 * 46, first=True), matmul(23 * 23 * 256, 256), matmul(256, 1)),
        {"network": "scratch"},
        1,
    ),
}


def vgg16_work() -> float:
    """FLOPs of VGG16's forward pass for one 48x48 image: 1.409 GFLOP."""
    channels, side, flops = 3, 48, 0.0
    for name, filters in CONVOLUTIONS:
        if name.endswith("conv1") and channels > 3:
            side //= 2
        flops += 2 * side * side * 9 * channels * filters
        channels = filters
    return flops


class Peak:
    """The machine's matmul peak in FLOP/s: the best seen, for others' work only slows it down."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._a = to_device(rng.standard_normal((2048, 2048), dtype=np.float32))
        self._multiply = backend.graph(lambda a: a @ a)
        self._multiply(self._a)
        self.best = 0.0
        self.look()

    def look(self) -> None:
        for _ in range(5):
            began = time.process_time()
            to_host(self._multiply(self._a))
            self.best = max(self.best, 2 * 2048**3 / (time.process_time() - began))


def clocked(function: Callable[[], Any]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


def medians(times: int, function: Callable[[], Any]) -> tuple[float, float]:
    """The medians of so many calls: CPU-seconds, seconds by the clock."""
    spent, passed = [], []
    for _ in range(times):
        began = time.perf_counter()
        spent.append(clocked(function))
        passed.append(time.perf_counter() - began)
    return statistics.median(spent), statistics.median(passed)


def memory() -> float:
    """The process's peak memory so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def exhaust(iterator: Iterator[Any]) -> None:
    for _ in iterator:
        pass


def dataset_for(folder: Path, rows: dict[int, int] | None = None) -> Any:
    shutil.rmtree(folder, ignore_errors=True)
    return make_dataset(folder, {0: TRAIN, 2: TEST} if rows is None else rows)


def measure_head(folder: Path) -> Measured:
    """A whole warm run of base: initial weights, shuffles, ten epochs, all metrics."""
    data, peak, warm = dataset_for(folder), Peak(), Trainer()
    fill_features(data, 19)
    compiling = clocked(lambda: exhaust(warm.epochs(make_spec(data, epochs=1))))
    seeds = itertools.count(1)
    seconds, wall = medians(3, lambda: exhaust(warm.epochs(make_spec(data, next(seeds)))))
    peak.look()
    work = NETWORKS["head"][0]
    flops = 10 * (work.train * TRAIN + work.test * TEST)
    return {
        "seconds": seconds,
        "wall": wall,
        "bound": flops / peak.best,
        "peak": peak.best,
        "memory": memory(),
        "compile": compiling - seconds / 10,
    }


def measure_fit(_: Path) -> Measured:
    """`model.fit` on the same features: the median of five times three epochs, scaled to ten.

    Once with the two metrics that the script of 2017 had, and once with those from which come the
    same columns as our run reports.
    """
    import keras
    from keras import ops

    rng = np.random.default_rng(0)

    def features_of(rows: int) -> tuple[Any, Any]:
        x = np.maximum(rng.standard_normal((rows, 512), dtype=np.float32), 0)
        return x, (rng.random((rows, 1)) < 0.2).astype(np.float32)

    train, test = features_of(TRAIN), features_of(TEST)

    def fscore(y: Any, p: Any) -> Any:
        tp = ops.sum(y * p)
        precision, recall = tp / (ops.sum(p) + 1e-10), tp / (ops.sum(y) + 1e-10)
        return 2 * precision * recall / (precision + recall)

    class SoftF(keras.metrics.Metric):  # type: ignore[misc]
        """Soft F over the whole cohort."""

        def __init__(self) -> None:
            super().__init__(name="soft")
            self.tp = self.add_variable((), "zeros", name="tp")
            self.yes = self.add_variable((), "zeros", name="yes")

        def update_state(self, y: Any, p: Any, sample_weight: Any = None) -> None:
            self.tp.assign_add(ops.sum(y * p))
            self.yes.assign_add(ops.sum(y) + ops.sum(p))

        def result(self) -> Any:
            return 2 * self.tp / self.yes

    def ten_epochs(*more: Any) -> tuple[float, float]:
        l1 = keras.regularizers.L1(1e-5 * 256)
        model = keras.Sequential(
            [
                keras.Input((512,)),
                keras.layers.Dense(256, "relu"),
                keras.layers.Dense(256, "relu", activity_regularizer=l1),
                keras.layers.Dense(1, "sigmoid"),
            ]
        )
        model.compile(
            keras.optimizers.Adam(epsilon=1e-8),
            loss=lambda y, p: 1 - fscore(y, p),
            metrics=["accuracy", fscore, *more],
        )

        def fit(epochs: int) -> None:
            model.fit(
                *train,
                batch_size=256,
                epochs=epochs,
                validation_data=test,
                validation_batch_size=256,
                verbose=0,
            )

        fit(1)
        seconds, wall = medians(5, lambda: fit(3))
        return seconds * 10 / 3, wall * 10 / 3

    names = ("TruePositives", "FalsePositives", "FalseNegatives", "TrueNegatives")
    counts = [getattr(keras.metrics, name)() for name in names]
    seconds, wall = ten_epochs()
    more_seconds, more_wall = ten_epochs(SoftF(), *counts)
    return {
        "seconds": seconds,
        "wall": wall,
        "more_seconds": more_seconds,
        "more_wall": more_wall,
        "memory": memory(),
    }


def measure_extraction(folder: Path) -> Measured:
    """VGG16's forward pass over 1,024 images into the cache, after one batch to get warm."""
    data, peak = dataset_for(folder, {0: 256, 2: 1024}), Peak()
    cache = features.FeatureCache(data, RANDOM, 19)
    cache.load((0,), ignore_progress)
    seconds = clocked(lambda: cache.load((2,), ignore_progress))
    peak.look()
    flops = vgg16_work() * 1024
    return {
        "seconds": seconds,
        "bound": flops / peak.best,
        "peak": peak.best,
        "memory": memory(),
        "per_image": seconds / 1024,
    }


def measure_network(name: str, folder: Path) -> Measured:
    """An epoch's first batches of a heavy network, its inputs whole in memory as in a real run."""
    work, changes, first = NETWORKS[name]
    data, peak, warm = dataset_for(folder), Peak(), Trainer()
    if first > 1:
        fill_features(data, first)
    batches = {"wide": 8, "scratch": 4}.get(name, 12)
    with (
        mock.patch.object(trainer, "schedule_training", shortened(schedule_training, batches)),
        mock.patch.object(labels, "schedule_evaluation", shortened(schedule_evaluation, batches)),
    ):
        epochs = warm.epochs(make_spec(data, epochs=5, **changes))
        compiling = clocked(lambda: next(epochs))
        seconds = [clocked(lambda: next(epochs)) for _ in range(3)]
    peak.look()
    rows = 256 * batches
    return {
        "seconds": min(seconds),
        "bound": rows * (work.train + work.test) / peak.best,
        "peak": peak.best,
        "memory": memory(),
        "compile": compiling - min(seconds),
        "rows": rows,
        "epoch": min(seconds) / rows * (TRAIN + TEST) / 2,
    }


def shortened(make: Callable[..., EpochSchedule], batches: int) -> Callable[..., EpochSchedule]:
    """`make`, but the plan ends after so many batches."""

    def shorter(*arguments: Any, **more: Any) -> EpochSchedule:
        plan = make(*arguments, **more)
        columns = {name: getattr(plan, name)[:batches] for name in EpochSchedule._fields[:-1]}
        return plan._replace(**columns)

    return shorter


def measure_warm(folder: Path) -> Measured:
    """200 runs in one job, of one epoch over a quarter of the posters, events and all.

    What a run costs beyond the compiled passes, the time until the next can begin included, and
    whether memory grows.
    """
    from postertui.training.job.__main__ import train_runs
    from postertui.training.job.stop_listener import StopListener

    data = dataset_for(folder, {0: TRAIN // 4, 2: TEST // 4})
    fill_features(data, 19)
    inside = {"wall": 0.0, "cpu": 0.0}

    def timed_passes(*arguments: Any) -> Passes:
        return Passes(*(timed(f, inside) for f in compile_passes(*arguments)))

    runs, watch = folder / "runs", StopListener()
    process = psutil.Process()
    beyond_wall, beyond_cpu, resident = [], [], []
    with mock.patch.object(compiled_networks, "compile_passes", timed_passes):
        for seed in range(210):
            spec: RunSpec = make_spec(data, seed, epochs=1, strength=1e-5 * (1 + seed % 7))
            write_spec(runs, spec)
            inside.update(wall=0.0, cpu=0.0)
            wall, cpu = time.perf_counter(), time.process_time()
            result = train_runs([runs / spec.run], watch)
            if result.outcome != "done":
                raise SystemExit(f"{spec.run}: {result}")
            beyond_wall.append(time.perf_counter() - wall - inside["wall"])
            beyond_cpu.append(time.process_time() - cpu - inside["cpu"])
            resident.append(process.memory_info().rss / 1e6)
    return {
        "beyond_wall": statistics.median(beyond_wall[10:]),
        "beyond_cpu": statistics.median(beyond_cpu[10:]),
        "growth": resident[-1] / resident[9] - 1,
        "memory": memory(),
    }


def measure_start(folder: Path) -> Measured:
    """A job's process from its start to its first epoch of base, without and with compiled code.

    By the clock. Features are there, as from the second run of a study on.
    """
    data = dataset_for(folder)
    fill_features(data, 19)
    runs, walls = folder / "runs", []
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    for seed in range(6):
        spec = make_spec(data, seed, epochs=1)
        write_spec(runs, spec)
        started = time.time()
        command = [sys.executable, "-m", "postertui.training.job", str(runs / spec.run)]
        subprocess.run(command, env=environment, check=True)
        events, _ = parse_events((runs / spec.run / "events.jsonl").read_bytes())
        walls.append(next(e["time"] for e in events if e["event"] == "epoch") - started)
    return {"cold": walls[0], "warm": statistics.median(walls[1:])}


def timed(function: Callable[..., Any], inside: dict[str, float]) -> Callable[..., Any]:
    """`function`, adding to `inside` what it takes until its results are there."""

    def wrapped(*arguments: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = function(*arguments)
        to_host(result[1])
        inside["wall"] += time.perf_counter() - wall
        inside["cpu"] += time.process_time() - cpu
        return result

    return wrapped


def measure_throughput(folder: Path) -> Measured:
    """Three warm runs of base, begun when standard input says so."""
    data, warm = dataset_for(folder), Trainer()
    fill_features(data, 19)
    exhaust(warm.epochs(make_spec(data, epochs=1)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    wall, cpu = time.perf_counter(), time.process_time()
    for seed in (1, 2, 3):
        exhaust(warm.epochs(make_spec(data, seed)))
    return {"wall": time.perf_counter() - wall, "seconds": time.process_time() - cpu}


MEASURES: dict[str, Callable[[Path], Measured]] = {
    "head": measure_head,
    "fit": measure_fit,
    "extraction": measure_extraction,
    "start": measure_start,
    "warm": measure_warm,
    "throughput": measure_throughput,
}


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    measured = MEASURES[name](folder) if name in MEASURES else measure_network(name, folder)
    sys.stdout.write(json.dumps(measured) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
