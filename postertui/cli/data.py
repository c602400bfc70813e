"""`postertui data build` and `postertui data show`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postertui.cli.options import PATH, data_option, json_option, print_json
from postertui.cli.streams import print_message, styled
from postertui.system.errors import UserError
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset
    from postertui.data.posters.decoder import Progress


@click.group("data")
def data_command() -> None:
    """Build the poster cohorts, or show them."""


@data_command.command("build")
@click.option(
    "--posters",
    type=PATH,
    required=True,
    help="Images called <id>.jpg, tt<id>.png or the like, anywhere below this folder.",
)
@click.option(
    "--labels",
    type=PATH,
    required=True,
    help="A table with a column of ids and one of genres, or of 0 and 1 for each genre.",
)
@click.option(
    "--details",
    type=PATH,
    help="A table of ids and what else is known of the posters: year, country, keywords …",
)
@click.option(
    "--side",
    "sides",
    type=click.IntRange(8, 512),
    multiple=True,
    default=(48,),
    show_default="48",
    help="Of the posters, in pixels; may be repeated, and the first is the default of variants.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be read; build nothing.")
@click.option("--encoding", help="The encoding of the labels, where it is not Unicode: cp1252 …")
@click.option("--id-column", metavar="NAME", help="The column with the ids.")
@click.option("--genres-column", metavar="NAME", help="The column with the genres.")
@click.option("--joined-by", metavar="TEXT", help="What joins genres: | , ; / …, list, or none.")
@click.option("--strict", is_flag=True, help="Fail where a row or a file would be left out.")
@click.option("--any-genres", is_flag=True, help="Accept genres that look wrong.")
@data_option
@json_option
def build_command(
    posters: Path,
    labels: Path,
    details: Path | None,
    sides: tuple[int, ...],
    dry_run: bool,
    data: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Bring posters and labels into the data folder.

    A poster belongs to the cohort that the last digit of its id names. It is resized to a square
    of --side pixels; a variant's field `side` chooses one of several. How the labels were read is
    printed. What cannot be used is named, counted and left out; data/left-out.csv lists all of it.
    The old data folder stays until the new one is whole.
    """
    from postertui.cli.data_report import (
        describe_inputs,
        inputs_json,
        left_out_json,
        print_left_out,
    )
    from postertui.data.dataset import Dataset
    from postertui.data.posters import build_dataset
    from postertui.data.posters.inputs import read_inputs, unreadable_headers
    from postertui.data.posters.labels import LabelOptions

    wanted = LabelOptions(**options)
    if dry_run:
        inputs = read_inputs(posters, labels, wanted, details)
        unreadable = unreadable_headers(inputs)
        if as_json:
            left_out = left_out_json(inputs, unreadable)
            print_json({"understood": inputs_json(inputs), "left_out": left_out})
        else:
            click.echo(describe_inputs(inputs))
            print_left_out(inputs, unreadable, None)
        return
    sides = tuple(dict.fromkeys(sides))
    say_lost_sides(data, sides)
    with build_progress("posters") as progress:
        report = build_dataset(
            posters,
            labels,
            data,
            sides=sides,
            options=wanted,
            details=details,
            progress=progress,
            announce=lambda inputs: click.echo(describe_inputs(inputs), err=True),
        )
    dataset = Dataset.open(data)
    print_left_out(report.inputs, report.unreadable, data)
    if as_json:
        print_json(
            summary(dataset)
            | {
                "understood": inputs_json(report.inputs),
                "left_out": left_out_json(report.inputs, report.unreadable),
            }
        )
    else:
        click.echo(_describe(dataset))


def say_lost_sides(data: Path, sides: tuple[int, ...]) -> None:
    """Say which sides the data folder has and will have no more."""
    from postertui.data.dataset import Dataset
    from postertui.data.sides import list_sides

    try:
        before = Dataset.open(data).sides
    except UserError:
        return
    if lost := [side for side in before if side not in sides]:
        options = " ".join(f"--side {side}" for side in dict.fromkeys((*before, *sides)))
        print_message(
            f"{data} will no longer have posters of {list_sides(lost)} pixels; {options} keeps them"
        )


@data_command.command("show")
@data_option
@json_option
def show_command(data: Path, as_json: bool) -> None:
    """Cohorts, genres, base rates, and the genres too rare to model."""
    from postertui.data.dataset import Dataset

    dataset = Dataset.open(data)
    if as_json:
        print_json(summary(dataset))
    else:
        click.echo(_describe(dataset))


def summary(dataset: Dataset) -> dict[str, Any]:
    """What `--json` prints: per cohort and genre the base rate and the always-yes F."""
    import msgspec

    from postertui.data.base_rates import always_yes_f

    def rates(genre: str) -> dict[str, Any]:
        by_cohort = {str(d): dataset.base_rate(genre, [d]) for d in dataset.cohorts}
        overall_rate = dataset.base_rate(genre, dataset.cohorts)
        return {
            "genre": genre,
            "base_rate": overall_rate,
            "always_yes_f": always_yes_f(overall_rate),
            "cohorts": {
                d: {"base_rate": m, "always_yes_f": always_yes_f(m)} for d, m in by_cohort.items()
            },
        }

    return {
        "path": str(dataset.path),
        "side": dataset.side,
        "sides": list(dataset.sides),
        "fingerprint": dataset.fingerprint,
        "posters": dataset.posters(dataset.cohorts),
        "cohorts": {str(d): dataset.posters([d]) for d in dataset.cohorts},
        "genres": [rates(g) for g in dataset.genres],
        "rare": list(dataset.rare_genres()),
        "details": msgspec.to_builtins(dataset.details_info),
    }


def _describe(dataset: Dataset) -> str:
    """The summary for people: a line per genre, a column per cohort."""
    from rich.cells import cell_len

    from postertui.cli.data_report import describe_details
    from postertui.data.base_rates import always_yes_f
    from postertui.data.sides import list_sides
    from postertui.study import DEFAULT_RARITY

    digits = dataset.cohorts
    rare = set(dataset.rare_genres())
    sizes = list_sides([f"{side} by {side}" for side in dataset.sides])
    lines = [
        f"{dataset.path}: {dataset.posters(digits):,} posters of {sizes} pixels, "
        f"{pluralize(len(digits), 'cohort')}, {pluralize(len(dataset.genres), 'genre')}",
        "",
    ]
    header = ["cohort", *map(str, digits), "all", "always-yes F"]
    counts = ["posters", *(str(dataset.posters([d])) for d in digits)]
    counts += [str(dataset.posters(digits)), ""]
    body = []
    for genre in dataset.genres:
        overall_rate = dataset.base_rate(genre, digits)
        rates = [dataset.base_rate(genre, [d]) for d in digits]
        note = "  rare" if genre in rare else ""
        cells = [
            genre,
            *map(_share, rates),
            _share(overall_rate),
            _share(always_yes_f(overall_rate)),
        ]
        body.append((cells, note))
    rows = [(header, ""), (counts, ""), *body]
    widths = [max(cell_len(cells[i]) for cells, _ in rows) for i in range(len(header))]
    for number, (cells, note) in enumerate(rows):
        first = cells[0] + " " * (widths[0] - cell_len(cells[0]))
        rest = (c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))
        lines.append("  ".join([first, *rest]).rstrip() + note)
        if number == 1:
            lines.append("base rate")
    if rare:
        lines += [
            "",
            f"rare: below {DEFAULT_RARITY:.0%} positives, where batches of 256 come without any; "
            "too few to model",
        ]
    if dataset.details_info is not None:
        lines += ["", describe_details(dataset.details_info)]
    return "\n".join(lines)


def _share(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


@contextmanager
def build_progress(what: str) -> Iterator[Progress]:
    """A bar on standard error; in a log, a plain line for every tenth."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = (what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=styled(sys.stderr))) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    shown = 0

    def line(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // total
        if tenth > shown:
            shown = tenth
            click.echo(f"{what}: {done} of {total}", err=True)

    yield line
