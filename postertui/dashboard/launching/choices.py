"""What the form chooses from, read in a thread: studies, data, weights, the machine's room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.dashboard.launching.draft import find_studies, usual_study, usual_weights
from postertui.data.weights import Weights, has_imagenet_weights, resolve_weights
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset
    from postertui.runs.store import Run
    from postertui.study import Study


@dataclass
class LaunchChoices:
    """Opened once for a form. `slots` is how many runs are trained at a time."""

    dataset: Dataset
    studies: dict[str, Study]
    study: str
    weights: str
    slots: int
    _resolved: dict[str, Weights] = field(default_factory=dict)

    def resolve(self, choice: str) -> Weights:
        """The weights `choice`, read once. Can download ImageNet's; raises `UserError`."""
        if choice not in self._resolved:
            self._resolved[choice] = resolve_weights(choice)
        return self._resolved[choice]

    def needs_download(self, choice: str) -> bool:
        return choice == "imagenet" and not has_imagenet_weights()

    def planned_weights(self, choice: str) -> Weights:
        """The weights for a plan that is only looked at: nothing is downloaded for it."""
        if self.needs_download(choice):
            return Weights("imagenet", "not here yet")
        return self.resolve(choice)


def open_choices(data: Path, study: str, runs: Mapping[str, Run], folder: Path) -> LaunchChoices:
    """What there is to choose from. Raises `UserError` where there is no data or no such study."""
    from postertui.data.dataset import Dataset
    from postertui.supervisor.backends.devices import make_slots

    if not data.exists():
        raise UserError(
            f"{data}: no data yet; `postertui data build --posters DIR --labels FILE.csv` makes it"
        )
    dataset = Dataset.open(data)
    studies = find_studies(folder, study)
    return LaunchChoices(
        dataset=dataset,
        studies=studies,
        study=usual_study(runs.values(), studies, study),
        weights=usual_weights(runs.values()),
        slots=len(make_slots(None)),
    )
