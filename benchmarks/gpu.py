"""What training comes to on an accelerator: JAX' or TensorFlow's, whichever KERAS_BACKEND names.

    python -m benchmarks.gpu [--quick] [--data FOLDER] [NAME...]

It makes a poster set of the published size (21,490 and 21,651 posters at 48 pixels, 17 genres) and
measures by the clock, each name in a process of its own: device extraction head study batched
frozen-16 scratch jobs strip memory. `--quick` takes a few hundred posters, three genres and two
epochs: for continuous integration, and to see the script work on a CPU. Without an accelerator
everything runs on the CPU and says so; what needs one is left out.

`study` trains the whole frozen-backbone study without the 4096 units one run after another,
`batched` the same with all heads of one shape at once (JAX only). The aim on an H100 or H200: the
study under 2 minutes. `jobs` has 1, 2 and 4 jobs share a device through the real supervisor;
`memory` lets a job meet a device that another process has filled, and be tried again with it to
itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset
    from postertui.runs.spec import RunSpec

ROOT = Path(__file__).resolve().parents[1]

#: The 17 genres of the published study that are not too rare to model.
GENRES = (
    "Action", "Adventure", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Family",
    "Fantasy", "History", "Horror", "Music", "Mystery", "Romance", "Science_Fiction", "Thriller",
    "War",
)  # fmt: skip

#: The aim for the whole study on an H100 or H200, in seconds.
AIM = 120.0

Measured = dict[str, Any]


class Scale:
    """How large everything is."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.rows = {0: 600, 2: 500} if quick else {0: 21_490, 2: 21_651}
        self.genres = GENRES[:3] if quick else GENRES
        self.epochs = 2 if quick else None


def dataset_in(folder: Path, scale: Scale) -> Dataset:
    """The poster set in `folder`, made there the first time."""
    from benchmarks.training_made import fill_features, make_dataset
    from postertui.data.dataset import Dataset

    path = folder / "data"
    if (path / "dataset.json").exists():
        return Dataset.open(path)
    dataset = make_dataset(path, scale.rows, scale.genres)
    fill_features(dataset, 19)
    return dataset


def study_specs(dataset: Dataset, scale: Scale) -> list[RunSpec]:
    """Every run of the study that trains a head on the whole frozen backbone, 4096 left out."""
    import msgspec

    from benchmarks.training_made import make_spec
    from postertui.study import ALL_LAYERS, load_study

    variants = [
        variant
        for variant in load_study("milestone4").select(())
        if variant.network == "vgg16" and variant.frozen_layers == ALL_LAYERS
        if 4096 not in (variant.fc1, variant.fc2)
    ]
    if scale.quick:
        variants = variants[:4]
    specs = []
    for genre in scale.genres:
        for variant in variants:
            if scale.epochs is not None:
                variant = msgspec.structs.replace(variant, epochs=scale.epochs)
            spec = make_spec(dataset, genre=genre)
            specs.append(msgspec.structs.replace(spec, variant=variant))
    return specs


def seconds_of(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def exhaust(iterator: Any) -> int:
    return sum(1 for _ in iterator)


# Measurements, each in a process of its own


def measure_device(_: Path, __: Scale) -> Measured:
    """The device by NVML and by the framework, and the peak of a large matrix product on it."""
    import numpy as np

    from postertui.system.gpus import read_gpus
    from postertui.training import backend
    from postertui.training.accelerators import ask_framework
    from postertui.training.backend import to_device, to_host

    report, inventory = ask_framework(), read_gpus()
    side = 8192 if report.accelerators else 1024
    a = to_device(np.random.default_rng(0).standard_normal((side, side), dtype=np.float32))
    multiply = backend.graph(lambda a: a @ a)
    to_host(multiply(a)[0, 0])
    best = min(seconds_of(lambda: to_host(multiply(a)[0, 0])) for _ in range(5))
    return {
        "framework": report.framework,
        "accelerators": list(report.accelerators or ()),
        "reason": report.reason,
        "nvml": [gpu.describe() for gpu in inventory.gpus],
        "driver": inventory.driver,
        "teraflops": 2 * side**3 / best / 1e12,
    }


def measure_extraction(folder: Path, scale: Scale) -> Measured:
    """VGG16's forward pass over the training cohort, from uint8 on disk to features on disk."""
    from benchmarks.training_made import RANDOM, make_dataset
    from benchmarks.training_measures import vgg16_work
    from postertui.training.features import FeatureCache
    from postertui.training.trainer import ignore_progress

    rows = 256 if scale.quick else scale.rows[0]
    dataset = make_dataset(folder / "extraction", {0: 256, 2: rows})
    cache = FeatureCache(dataset, RANDOM, 19)
    compiling = seconds_of(lambda: cache.load((0,), ignore_progress))
    seconds = seconds_of(lambda: cache.load((2,), ignore_progress))
    rate = rows / seconds
    return {
        "compile": compiling,
        "images_per_second": rate,
        "teraflops": rate * vgg16_work() / 1e12,
    }


def measure_head(folder: Path, scale: Scale) -> Measured:
    """One run of base: with compiling, and warm."""
    from benchmarks.training_made import make_spec
    from postertui.training.trainer import Trainer

    dataset, trainer = dataset_in(folder, scale), Trainer()
    changes: dict[str, Any] = {} if scale.epochs is None else {"epochs": scale.epochs}

    def train(seed: int) -> None:
        exhaust(trainer.epochs(make_spec(dataset, seed, genre=scale.genres[0], **changes)))

    first = seconds_of(lambda: train(0))
    return {"first": first, "warm": min(seconds_of(partial(train, seed)) for seed in (1, 2, 3))}


def measure_study(folder: Path, scale: Scale) -> Measured:
    """All heads of the study, one run after another in a warm process."""
    from postertui.training.trainer import Trainer

    dataset, trainer = dataset_in(folder, scale), Trainer()
    specs = study_specs(dataset, scale)
    wall = seconds_of(lambda: [exhaust(trainer.epochs(spec)) for spec in specs])
    return {"runs": len(specs), "wall": wall}


def measure_batched(folder: Path, scale: Scale) -> Measured:
    """The same runs, the heads of one shape at once."""
    from postertui.training.backend import NAME
    from tests.support.stacked_heads import group_by_shape, train_together

    if NAME != "jax":
        return {"skipped": "heads of one shape are trained at once with KERAS_BACKEND=jax only"}
    dataset = dataset_in(folder, scale)
    groups = group_by_shape(study_specs(dataset, scale))
    walls = [seconds_of(partial(train_together, dataset, group)) for group in groups]
    return {
        "runs": sum(map(len, groups)),
        "wall": sum(walls),
        "groups": [[len(group), seconds] for group, seconds in zip(groups, walls, strict=True)],
    }


def measure_heavy(name: str, folder: Path, scale: Scale) -> Measured:
    """The first two epochs of a network that trains convolutions; the second is warm."""
    from benchmarks.training_made import fill_features, make_spec
    from postertui.training.trainer import Trainer

    dataset, trainer = dataset_in(folder, scale), Trainer()
    changes: dict[str, Any] = {"frozen_layers": 16} if name == "frozen-16" else {}
    if name == "frozen-16":
        fill_features(dataset, 16)
    else:
        changes["network"] = name
    epochs = trainer.epochs(make_spec(dataset, genre=scale.genres[0], epochs=2, **changes))
    return {"first": seconds_of(lambda: next(epochs)), "warm": seconds_of(lambda: next(epochs))}


def measure_jobs(folder: Path, scale: Scale) -> Measured:
    """The same queue with 1, 2 and 4 jobs on one device, from request to the last end."""
    from postertui.runs.spec import write_spec
    from postertui.runs.store import Store
    from postertui.supervisor import requests

    specs = study_specs(dataset_in(folder, scale), scale)[: 4 if scale.quick else 60]
    walls = {}
    for jobs in (1, 2) if scale.quick else (1, 2, 4):
        runs = folder / f"runs-{jobs}"
        for spec in specs:
            write_spec(runs, spec)
        began = time.perf_counter()
        requests.ensure_supervisor(runs, jobs=jobs)
        while requests.status(runs).running:
            time.sleep(0.1)
        walls[str(jobs)] = time.perf_counter() - began
        store = Store(runs, cache=False)
        store.refresh()
        states = {run.state for run in store.runs.values()}
        if states != {"done"}:
            raise SystemExit(f"{runs}: not all runs are done but {states}")
    return {"runs": len(specs), "walls": walls}


def measure_strip(_: Path, __: Scale) -> Measured:
    """What the dashboard's device strip reads, and how long that takes."""
    from postertui.dashboard.monitoring.devices import DeviceSampler

    sampler = DeviceSampler()
    sampler.sample()
    seconds = min(seconds_of(sampler.sample) for _ in range(5))
    devices = [str(device) for device in sampler.sample()]
    return {"devices": devices, "note": sampler.note, "milliseconds": 1e3 * seconds}


def measure_memory(folder: Path, scale: Scale) -> Measured:
    """A run that meets a full device is lost for lack of memory and done in its next attempt."""
    from postertui.runs.events import parse_events
    from postertui.runs.spec import write_spec
    from postertui.supervisor import requests
    from postertui.training import backend

    if not backend.devices():
        return {"skipped": "no accelerator, so none to fill"}
    spec, runs = study_specs(dataset_in(folder, scale), scale)[0], folder / "runs-memory"
    write_spec(runs, spec)
    events_file = runs / spec.run / "events.jsonl"

    def events() -> list[Any]:
        return parse_events(events_file.read_bytes())[0] if events_file.exists() else []

    ballast = fill_device()
    requests.ensure_supervisor(runs, jobs=1)
    deadline = time.monotonic() + 300
    while not any(e.get("cause") == "device-memory" for e in events()):
        if time.monotonic() > deadline:
            raise SystemExit("the run did not lack device memory")
        time.sleep(0.05)
    ballast.clear()
    while requests.status(runs).running:
        time.sleep(0.1)
    ends = [[e["status"], e.get("cause")] for e in events() if e["event"] == "end"]
    return {"ends": ends}


def fill_device() -> list[Any]:
    """Tensors that take all of the device's memory, in ever smaller pieces."""
    import numpy as np

    from postertui.training.backend import to_device

    tensors, size = [], 1 << 30
    while size >= 1 << 22:
        try:
            tensors.append(to_device(np.zeros(size // 4, np.float32)))
        except Exception:  # Each framework raises its own when memory is short.
            size //= 2
    return tensors


MEASUREMENTS: dict[str, Callable[[Path, Scale], Measured]] = {
    "device": measure_device,
    "extraction": measure_extraction,
    "head": measure_head,
    "study": measure_study,
    "batched": measure_batched,
    "frozen-16": lambda folder, scale: measure_heavy("frozen-16", folder, scale),
    "scratch": lambda folder, scale: measure_heavy("scratch", folder, scale),
    "jobs": measure_jobs,
    "strip": measure_strip,
    "memory": measure_memory,
}

#: What `--quick` measures unless names are given: seconds each.
QUICK = ("device", "head", "study", "batched", "strip", "memory")


# The report


def lines_of(name: str, found: Measured, others: dict[str, Measured]) -> list[str]:
    """The measurement in words."""
    match name:
        case "device":
            accelerators = ", ".join(found["accelerators"]) or f"no accelerator ({found['reason']})"
            driver = f", driver {found['driver']}" if found["driver"] else ""
            return [
                f"{found['framework']}: {accelerators}",
                f"NVML: {', '.join(found['nvml']) or 'no GPU'}{driver}",
                f"matrix product, float32: {found['teraflops']:.1f} TFLOP/s",
            ]
        case "extraction":
            line = f"{found['images_per_second']:,.0f} images/s, {found['teraflops']:.2f} TFLOP/s"
            if device := others.get("device"):
                line += f", {found['teraflops'] / device['teraflops']:.0%} of the matrix product's"
            return [line, f"compiling and the first batch: {found['compile']:.1f} s"]
        case "head" | "frozen-16" | "scratch":
            what = "run" if name == "head" else "epoch"
            return [f"warm {what}: {found['warm']:.2f} s; first, compiled: {found['first']:.1f} s"]
        case "study":
            return [
                f"{found['runs']} runs one after another: {found['wall']:.1f} s (aim {AIM:.0f})"
            ]
        case "batched" if "runs" in found:
            line = f"{found['runs']} runs, heads of one shape together: {found['wall']:.1f} s"
            if study := others.get("study"):
                line += f", {study['wall'] / found['wall']:.1f} times as fast"
            return [line, *(f"  {count} runs: {s:.1f} s" for count, s in found["groups"])]
        case "jobs":
            walls = [f"{jobs}: {seconds:.1f} s" for jobs, seconds in found["walls"].items()]
            return [f"{found['runs']} runs with so many jobs on a device: {', '.join(walls)}"]
        case "strip":
            note = f" ({found['note']})" if found["note"] else ""
            return [f"read in {found['milliseconds']:.1f} ms{note}", *found["devices"]]
        case _:
            return [found.get("skipped") or f"the run's ends: {found['ends']}"]


def run_apart(name: str, folder: Path, *, quick: bool) -> Measured:
    """Measure in a process of its own, whose device memory is given back at its end."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--one", name, "--data", str(folder)]
    result = subprocess.run(
        command + ["--quick"] * quick,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "ABSL_MIN_LOG_LEVEL": "3",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            **os.environ,
            "PYTHONPATH": str(ROOT),
        },
        check=False,
    )
    if result.returncode:
        raise SystemExit(f"{name}: the measurement ended with {result.returncode}")
    return dict(json.loads(result.stdout.splitlines()[-1]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--quick", action="store_true", help="a small poster set, seconds each")
    parser.add_argument("--data", type=Path, help="keep the made poster set here")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        measured = MEASUREMENTS[given.one](given.data, Scale(quick=given.quick))
        print(json.dumps(measured))
        return 0
    if unknown := set(given.names) - MEASUREMENTS.keys():
        parser.error(f"no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    names = given.names or (QUICK if given.quick else list(MEASUREMENTS))
    results: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory(prefix="postertui-gpu-") as place:
        folder = given.data or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            results[name] = run_apart(name, folder, quick=given.quick)
            for number, line in enumerate(lines_of(name, results[name], results)):
                print(f"{name if number == 0 else '':<11} {line}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
