"""`postertui importance`: which columns of the details a model relies on."""

from __future__ import annotations

from pathlib import Path

import click

from postertui.cli.formats import OutputFormat, format_option, print_sections
from postertui.cli.options import PATH, runs_option
from postertui.cli.selection import check_exists, open_store


@click.command("importance")
@click.option(
    "--run", "names", multiple=True, required=True, metavar="RUN", help="A run that takes details."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Permutations of each input.",
)
@runs_option
@click.option("--data", type=PATH, help="The data folder, where it is no longer where it was.")
@format_option
def importance_command(
    names: tuple[str, ...], repeats: int, runs: Path, data: Path | None, output: OutputFormat
) -> None:
    """Say which columns of the details a model relies on, and how much on the poster.

    Each input in turn is exchanged between the posters of the validation cohort; what the average
    precision drops by, with its 95 % interval, is the input's importance.
    """
    import polars as pl

    from postertui.analysis.tables.section import Column, Section, interval, number, text
    from postertui.predictions.importance import importance
    from postertui.predictions.models import named_models, trained_models

    check_exists(runs)
    models = named_models(trained_models(open_store(runs)), names)
    frame = pl.concat([importance(model, repeats, data) for model in models])
    columns = [
        *([Column("run", text("run"))] if len(models) > 1 else []),
        Column("input", text("input")),
        Column("kind", text("kind")),
        Column("drop of AP", number("drop", sign=True), right=True),
        Column("95 % interval", interval("low", "high"), right=True),
    ]
    notes = [
        f"{name}: AP {ap:.4f} on validation."
        for name, ap in frame.select("run", "ap").unique(maintain_order=True).iter_rows()
    ]
    notes.append(
        "Columns that say the same share their importance: exchanging one leaves the other."
    )
    print_sections([Section("importance", "Importance", frame, columns, notes)], output)
