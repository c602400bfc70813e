"""What the form chooses from, read in a thread: studies, data, weights, the machine's room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.dashboard.launching.draft import find_studies, usual_study, usual_weights
from postertui.data.weight_choices import WeightChoices
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
    _weights: dict[tuple[str, bool], WeightChoices] = field(default_factory=dict)

    def weight_choices(self, text: str, *, download: bool) -> WeightChoices:
        """The weights that the form's text names, as `--weights` does, with spaces between them.

        They are read once; with `download`, missing ones of ImageNet are downloaded. Raises
        `UserError`.
        """
        key = text, download
        if key not in self._weights:
            options = [text] if Path(text).is_file() else text.split()
            self._weights[key] = WeightChoices.parse(options, download=download)
        return self._weights[key]


def open_choices(
    data: Path, study: str, runs: Mapping[str, Run], folder: Path, *, queue: Path | None = None
) -> LaunchChoices:
    """What there is to choose from, with the study files of `folder`.

    As many runs at a time are offered as the `queue` (a runs folder) trains, or would. Raises
    `UserError` where there is no data or no such study.
    """
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
        slots=(queue_slots(queue) if queue is not None else None) or len(make_slots(None)),
    )


def queue_slots(queue: Path) -> int | None:
    """How many runs the supervisor of `queue` trains at a time, or was last asked to; else None."""
    from postertui.supervisor import requests
    from postertui.supervisor.backends.devices import make_slots
    from postertui.supervisor.folder import read_settings

    status = requests.status(queue)
    if status.running and status.slots:
        return status.slots
    jobs = read_settings(queue).jobs
    return len(make_slots(jobs)) if jobs is not None else None
