"""From what is on the screen to the command line that draws the same as a figure.

The command is what is run, and what the user copies: there is no second way to draw.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.arrangement import compared_value
from postertui.dashboard.state.metrics import F_METRICS
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.filters import Filter, FilterError, parse
from postertui.history.selection import RUN_ONLY_FIELDS
from postertui.system.errors import UserError
from postertui.system.text import slugify

#: What `--compare` is for each compared column. With `name` no shown variant is left out.
COMPARE = {
    "variant": "name",
    "regularizer": "Regularizer + name",
    "fc": "FC1 + FC2 + name",
    "family": "variant",
    "seed": "seed + name",
    "study": "study + name",
}
METRIC = {
    "fscore": "fscore",
    "soft": "fscore_soft",
    "hard": "fscore_hard",
    "chosen": "fscore_threshold",
    "ap": "ap",
    "auroc": "auroc",
    "brier": "brier",
    "loss": "loss",
    "accuracy": "accuracy",
}
#: The longest filter, in characters, that a command line takes as one word.
LONGEST_FILTER = 100_000
#: How many variants or genres are named one by one in a file's name.
FEW = 3


@dataclass(frozen=True)
class FigureRequest:
    """Arguments of `postertui report` without the folders; `lacks` is what a figure cannot show."""

    arguments: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    def command(self, runs: Path, out: Path) -> str:
        """The command line as one would type it."""
        return shlex.join(["postertui", "report", *self.with_folders(runs, out, shortest=True)])

    def with_folders(self, runs: Path, out: Path, *, shortest: bool = False) -> list[str]:
        """The arguments with `--runs` and `--out`; `shortest` leaves out the usual ones."""
        words = list(self.arguments)
        for flag, path, usual in (("--runs", runs, "runs"), ("--out", out, "reports")):
            if not (shortest and path == Path(usual)):
                words += [flag, str(path)]
        return words


def request_of(
    runs: Mapping[str, RunView],
    shown: Mapping[str, RunView],
    options: ViewOptions,
    *,
    pinned: Collection[str] = (),
) -> FigureRequest:
    """The report of the `shown` ones of `runs`. Raises `UserError` where there is no figure."""
    drawn = [run for run in shown.values() if run.epoch > 0]
    if not drawn:
        raise UserError("nothing to draw: no run on the screen has finished an epoch")
    if options.metric == "learning_rate":
        raise UserError("there is no figure of the learning rate; m chooses another metric")
    words: list[str] = []
    text = filter_text(runs.values(), shown, options, pinned)
    if text:
        words.append(text)
    words += ["--compare", COMPARE.get(options.compare, "name")]
    for genre in sorted({str(run.record.get("genre")) for run in drawn}, key=natural_key):
        words += ["--genre", genre]
    metric = _metric(drawn, options)
    if metric != "fscore":
        words += ["--metric", metric]
    if options.metric in F_METRICS:
        words += ["--baseline", "stratified,always" if options.references else "none"]
    if options.seeds == "each":
        words.append("--seed-lines")
    if options.theme == "colour-blind":
        words += ["--palette", "okabe-ito"]
    words += ["--name", file_name(runs, drawn, options)]
    return FigureRequest(tuple(words), tuple(_omissions(options)))


def file_name(runs: Mapping[str, RunView], drawn: Collection[RunView], options: ViewOptions) -> str:
    """What the files are called: what is compared, which genres, the metric.

    Where not every run of those is drawn, a digest of which distinguishes two views.
    """
    value_of = compared_value(options.compare)
    values, genres = {value_of(run) for run in drawn}, {run.genre for run in drawn}
    words = _few(values, options.compare) + _few(genres, "genre")
    words.append(options.metric.replace("_", "-"))
    others = {
        run.name
        for run in runs.values()
        if run.epoch > 0 and value_of(run) in values and run.genre in genres
    } - {run.name for run in drawn}
    name = slugify("-".join(words))[:80].strip(".-")
    if not others:
        return name
    chosen = "\n".join(sorted(run.name for run in drawn))
    return f"{name}-{hashlib.sha256(chosen.encode()).hexdigest()[:6]}"


def _few(values: Collection[str], kind: str) -> list[str]:
    """The values themselves where they are few, or else how many."""
    if len(values) <= FEW:
        return sorted(values, key=natural_key)
    return [f"{len(values)}-{'studies' if kind == 'study' else kind + 's'}"]


def filter_text(
    runs: Iterable[RunView],
    shown: Mapping[str, RunView],
    options: ViewOptions,
    pinned: Collection[str],
) -> str:
    """A filter that selects exactly the shown runs from the history table.

    The user's own words where they do; the runs' names where they ask for what the table does
    not say, such as a state, which may be another one when the command is run again.
    """
    trained = [run for run in runs if run.epoch > 0]
    for text in _candidates(options, [name for name in shown if name in pinned], _cell(shown)):
        if _selects(text, trained, shown):
            return text
    names = [run.name for run in trained if run.name in shown]
    others = [run.name for run in trained if run.name not in shown]
    text = f"run:{','.join(names)}"
    if len(others) < len(names):
        text = f"not run:{','.join(others)}"
    if len(text) > LONGEST_FILTER:
        raise UserError(
            "too many runs to name one by one: filter by what figures know (not state, device, "
            "host or tag)"
        )
    return text


def _candidates(options: ViewOptions, pinned: list[str], cell: str | None) -> Iterable[str]:
    own = options.filter.strip()
    yield ""
    yield own
    if cell is not None:
        yield cell
    parts = [f"({own})"] if own else []
    for field, values in options.without.items():
        parts.append(f"not ({' or '.join(f'{field}:{_quoted(v)}' for v in values)})")
    whole = " ".join(parts)
    yield whole
    if pinned:
        yield f"({whole}) or run:{','.join(pinned)}" if whole else ""


def _cell(shown: Mapping[str, RunView]) -> str | None:
    """The runs of one genre and one variant, or of one genre, where all the shown ones are."""
    genres = {str(run.record.get("genre")) for run in shown.values()}
    variants = {str(run.record.get("variant")) for run in shown.values()}
    if len(genres) != 1:
        return None
    words = [f"genre:{_quoted(*genres)}"]
    if len(variants) == 1:
        words.append(f"variant:{_quoted(*variants)}")
    return " ".join(words)


def _quoted(value: str) -> str:
    return value if value.replace("-", "").replace("_", "").isalnum() else f'"{value}"'


def _selects(text: str, trained: list[RunView], shown: Mapping[str, RunView]) -> bool:
    try:
        parsed: Filter = parse(text, {str(run.record.get("name")) for run in trained})
    except FilterError:
        return False
    return all(parsed.matches(_in_table(run)) == (run.name in shown) for run in trained)


def _in_table(run: RunView) -> dict[str, object]:
    return {k: v for k, v in run.record.items() if k not in RUN_ONLY_FIELDS}


def _metric(drawn: list[RunView], options: ViewOptions) -> str:
    if options.metric == "f":
        pooled = any(run.record.get("test_fscore_soft") is not None for run in drawn)
        return "fscore_soft" if pooled else "fscore"
    return METRIC.get(options.metric, options.metric)


def _omissions(options: ViewOptions) -> Iterable[str]:
    """What the screen shows, or leaves out, and a figure cannot."""
    if not options.train:
        yield "it shows the training curves too"
    if options.smoothing:
        yield "no smoothing"
    if options.log_y:
        yield "no log scale"
    if options.first_epoch or options.last_epoch:
        yield "all epochs"
