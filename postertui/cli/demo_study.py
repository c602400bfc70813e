"""The demo: made-up posters, trained on and drawn through the very path that real data takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from postertui.data.dataset import Dataset
from postertui.data.posters import build_dataset
from postertui.data.posters.decoder import Progress
from postertui.data.synthetic import make_posters
from postertui.data.weights import Weights, has_imagenet_weights, resolve_weights
from postertui.runs.store import Store
from postertui.study import load_study
from postertui.supervisor import plan as launch
from postertui.system.errors import UserError

STUDY = "demo"
POSTERS_PER_COHORT = 400


@dataclass(frozen=True)
class DemoFolders:
    """Where the demo keeps its things, all below one folder that can be deleted."""

    root: Path

    @property
    def posters(self) -> Path:
        return self.root / "posters"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def reports(self) -> Path:
        return self.root / "reports"


def make_data(folders: DemoFolders, progress: Progress) -> Dataset:
    """The demo's data folder, made if it is not there.

    Raises `UserError` where the folder holds something else or cannot be written.
    """
    if (folders.data / "dataset.json").exists():
        return Dataset.open(folders.data)
    if folders.root.exists() and not folders.root.is_dir():
        raise UserError(f"{folders.root}: is a file; choose a folder with --folder")
    if folders.root.is_dir() and any(folders.root.iterdir()) and not folders.posters.is_dir():
        raise UserError(f"{folders.root}: not a demo's folder; choose another with --folder")
    try:
        posters = make_posters(folders.posters, POSTERS_PER_COHORT)
    except OSError as error:
        raise UserError(f"{error.filename or folders.root}: {error.strerror}") from None
    build_dataset(posters.posters, posters.labels, folders.data, progress=progress)
    return Dataset.open(folders.data)


def demo_weights() -> Weights:
    """ImageNet weights where they are on this machine already, random ones otherwise."""
    return resolve_weights("imagenet" if has_imagenet_weights() else "random")


def describe_weights(weights: Weights) -> str:
    """Which weights the frozen network has, for the screen."""
    if weights.kind == "random":
        return "frozen VGG16 with random weights (no ImageNet weights on this machine)"
    return "frozen VGG16 with ImageNet weights"


def plan_demo(folders: DemoFolders, dataset: Dataset, weights: Weights) -> launch.TrainingPlan:
    """Two variants of every genre of the made-up posters."""
    store = Store(folders.runs)
    store.refresh()
    states = {name: run.state for name, run in store.runs.items()}
    return launch.plan(load_study(STUDY), dataset, weights, states)
