"""The test posters of a run to look at, as text, and their pictures on one sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from postertui.predictions.loading import RunPredictions, load_run
from postertui.predictions.notable import TITLES, NotableKind, NotablePoster, notable_posters
from postertui.system.errors import UserError


@dataclass(frozen=True)
class PosterList:
    """A run's notable posters, or why there are none; `note` says how they were decided."""

    posters: tuple[NotablePoster, ...] = ()
    note: str = ""
    problem: str = ""
    predictions: RunPredictions | None = None

    def of_kind(self, kind: NotableKind) -> list[NotablePoster]:
        """Those of one kind, the most notable first."""
        return [poster for poster in self.posters if poster.kind == kind]


def read_poster_list(runs: Path, run: str) -> PosterList:
    """The list of the run called `run`. Never raises for a run without predictions."""
    try:
        predictions = load_run(runs, run)
    except UserError as error:
        return PosterList(problem=str(error))
    if predictions.is_dead:
        return PosterList(problem="the model is dead: its probabilities are NaN")
    origin = "chosen on validation" if predictions.chosen_threshold is not None else "as published"
    note = f"threshold {predictions.threshold:.3f}, {origin}"
    return PosterList(tuple(notable_posters(predictions)), note, "", predictions)


def list_lines(posters: PosterList) -> list[tuple[str, str]]:
    """Pairs of style and text: a heading for each kind, a line for each poster."""
    if posters.problem:
        return [("dim", posters.problem)]
    lines = [("dim", posters.note)]
    for kind, title in TITLES.items():
        lines.append(("text", title))
        lines += [
            ("dim", f"  {p.poster:>9}  {p.probability:.3f}  {'yes' if p.label else 'no'}")
            for p in posters.of_kind(kind)
        ]
    return lines
