"""`postertui posters`: which posters a model gets wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from postertui.cli.formats import OutputFormat, format_option, print_sections
from postertui.cli.options import runs_option
from postertui.cli.selection import check_exists


@click.command("posters")
@click.option("--run", "names", multiple=True, required=True, metavar="RUN", help="Whose posters.")
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=12,
    show_default=True,
    help="How many of each kind.",
)
@click.option(
    "--unseen",
    is_flag=True,
    help="Take the runs of one variant and genre together, over rotations and seeds: each poster "
    "has the mean probability of those that never saw it.",
)
@runs_option
@format_option
def posters_command(
    names: tuple[str, ...], count: int, unseen: bool, runs: Path, output: OutputFormat
) -> int:
    """List the test posters to look at: the surest mistakes of both kinds, and the least sure.

    `postertui report --html` shows them as thumbnails.
    """
    from postertui.analysis.tables.notable import notable_section
    from postertui.predictions.loading import load_run
    from postertui.predictions.notable import notable_posters
    from postertui.predictions.out_of_fold import merge_runs

    check_exists(runs)
    predictions = [load_run(runs, name) for name in dict.fromkeys(names)]
    if unseen:
        settings = dict.fromkeys((run.variant, run.genre) for run in predictions)
        predictions = [
            merge_runs([run for run in predictions if (run.variant, run.genre) == setting])
            for setting in settings
        ]
    sections = [notable_section(run, notable_posters(run, count)) for run in predictions]
    if len(sections) > 1:
        sections = [
            replace(section, key=run.run)
            for section, run in zip(sections, predictions, strict=True)
        ]
    print_sections(sections, output)
    return 0
