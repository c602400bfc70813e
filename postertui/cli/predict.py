"""`postertui predict`: image files through trained models."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.cli.formats import OutputFormat, format_option, json_rows, print_sections
from postertui.cli.options import PATH, check_out, runs_option
from postertui.cli.selection import check_exists, open_store
from postertui.cli.streams import print_message, styled
from postertui.history.spreadsheets import spreadsheet_safe
from postertui.system.errors import UserError
from postertui.system.text import pluralize, strip_control_chars

if TYPE_CHECKING:
    import polars as pl

    from postertui.predictions.models import TrainedModel

#: How many unreadable files are named one by one.
MOST_NAMED = 20


@click.command("predict")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PATH)
@click.option("--run", "names", multiple=True, metavar="RUN", help="The model of this run.")
@click.option("--variant", metavar="V", help="This variant's best model of each genre.")
@click.option("--best", is_flag=True, help="Each genre's best model on validation; the default.")
@click.option("--genre", "genres", multiple=True, help="Only these genres.")
@click.option(
    "--details", type=PATH, help="A table of the posters' details, for models that take them."
)
@click.option("-o", "--output", "target", type=PATH, help="Write to a .csv or .json file.")
@runs_option
@click.option("--data", type=PATH, help="The data folder, where it is no longer where it was.")
@format_option
def predict_command(
    paths: tuple[Path, ...],
    names: tuple[str, ...],
    variant: str | None,
    best: bool,
    genres: tuple[str, ...],
    details: Path | None,
    target: Path | None,
    runs: Path,
    data: Path | None,
    output: OutputFormat,
) -> int:
    """Predict the genres of posters: image files or folders, of any size.

    Each genre has a probability, the threshold chosen on validation (else .5), and the decision.
    CSV and JSON have one row per poster and genre. Unreadable files are named and skipped.
    """
    from postertui.predictions.decisions import decide
    from postertui.predictions.inference import model_request, run_inference

    if sum((bool(names), variant is not None, best)) > 1:
        raise click.UsageError("--run, --variant and --best exclude each other")
    if target is not None:
        check_out(target, runs, "-o")
        check_output(target)
    models = choose_models(runs, names, variant, genres)
    images = list(find_images(paths))
    requests = [model_request(model, data) for model in models]
    with progress_bar() as report_progress:
        result = run_inference(requests, images, report_progress, details)
    for number, (place, reason) in enumerate(sorted(result.unreadable.items())):
        if number == MOST_NAMED:
            print_message(f"… and {len(result.unreadable) - MOST_NAMED} more")
            break
        print_message(f"{strip_control_chars(str(images[place]))}: {reason}; skipped")
    decisions = decide(images, models, result.probabilities, result.unreadable)
    if decisions.is_empty():
        raise UserError("no readable image", exit_code=3)
    if target is not None:
        write_decisions(decisions, target)
        print_message(f"{target}: {pluralize(decisions['file'].n_unique(), 'poster')}")
    else:
        print_decisions(decisions, models, output)
    return 0


def choose_models(
    runs: Path, names: Sequence[str], variant: str | None, genres: Sequence[str]
) -> list[TrainedModel]:
    """The models asked for. Says on standard error where they were chosen on the test cohort.

    Raises `UserError` (exit code 3) where there is none.
    """
    from postertui.predictions.models import (
        best_models,
        choice_line,
        named_models,
        trained_models,
        variant_models,
    )

    check_exists(runs)
    models = trained_models(open_store(runs))
    if names:
        chosen = named_models(models, names)
    else:
        chosen = variant_models(models, variant) if variant else best_models(models)
        if len(models) > len(chosen) and (line := choice_line(chosen)):
            print_message(line)
    wanted = {genre.lower() for genre in genres}
    available = {model.genre.lower() for model in chosen}
    missing = [genre for genre in genres if genre.lower() not in available]
    if missing:
        names_available = ", ".join(sorted({model.genre for model in chosen}))
        raise UserError(
            f"--genre {missing[0]}: no model of it; there are {names_available}", exit_code=3
        )
    return [model for model in chosen if not wanted or model.genre.lower() in wanted]


def find_images(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and the images below the folders named, sorted.

    Raises `UserError` for a path that is not there, and (exit code 3) for a folder without one.
    """
    from postertui.data.ids import IMAGE_SUFFIXES

    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        if not path.is_dir():
            yield path
            continue
        files = sorted(
            Path(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
        )
        if not files:
            raise UserError(f"{path}: no image in it ({', '.join(IMAGE_SUFFIXES)})", exit_code=3)
        yield from files


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A function for how many posters are through; a bar, where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("posters"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=styled(sys.stderr)), transient=True) as progress:
        task = progress.add_task("posters", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def check_output(target: Path) -> None:
    """Raises `UserError` for a file that the result cannot be written to."""
    if target.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"{target}: name the file .csv or .json")
    if not target.parent.is_dir():
        raise UserError(f"{target}: there is no folder {target.parent}; make it first")


def write_decisions(decisions: pl.DataFrame, target: Path) -> None:
    """Write them whole or not at all, as CSV or JSON. Raises `UserError` (exit code 1)."""
    import json

    from postertui.system.atomic_files import write_atomic

    if target.suffix.lower() == ".csv":
        text = spreadsheet_safe(decisions).write_csv()
    else:
        text = json.dumps(json_rows(decisions), indent=1, allow_nan=False) + "\n"
    try:
        write_atomic(target, text.encode(), private=False)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror or error}", exit_code=1) from None


def print_decisions(
    decisions: pl.DataFrame, models: Sequence[TrainedModel], output: OutputFormat
) -> None:
    """Print them: one line per poster for people, else one row per poster and genre."""
    from postertui.analysis.tables.section import Column, Section, text
    from postertui.predictions.decisions import by_image

    if output in ("csv", "json"):
        print_sections([Section("predictions", "Predictions", decisions, [])], output)
        return
    wide = by_image(decisions)
    columns = [Column(name, text(name), right=name != "file") for name in wide.columns]
    thresholds = ", ".join(f"{model.genre} {model.threshold:.3f}" for model in models)
    used = ", ".join(model.run for model in models)
    notes = [f"yes: the probability is above the threshold: {thresholds}.", f"Models: {used}."]
    print_sections([Section("predictions", "Probabilities", wide, columns, notes)], output)
